"""The parts of the document service by themselves: texts cut, requests read, vectors checked, documents kept."""

import json
import math
import sqlite3
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.documents.chunks import count_tokens, split
from refplatform.documents.store import Store
from refplatform.documents.vectors import nearest, read_vectors
from refplatform.documents.wire import BadAskError, read_document, read_search

TEXTS = st.text(st.sampled_from(" \n\tab.ü語\U0001f600"), max_size=400)
SIZES = st.integers(1, 12).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size)))


def embeddings(*vectors):
    return {"data": [{"index": n, "embedding": vector} for n, vector in enumerate(vectors)]}


def kept(*vectors):
    return read_vectors(embeddings(*vectors), len(vectors))


@given(TEXTS, SIZES)
def test_pieces_together_hold_every_word_and_none_is_too_long(text, sizes):
    size, overlap = sizes
    spans = split(text, size=size, overlap=overlap)
    covered = {place for span in spans for place in range(span.start, span.stop)}
    assert {place for place, character in enumerate(text) if not character.isspace()} <= covered
    assert all(0 < count_tokens(text[span.start : span.stop]) <= size for span in spans)
    assert all(not text[place].isspace() for span in spans for place in (span.start, span.stop - 1))


@given(TEXTS, SIZES)
def test_each_piece_goes_on_beyond_the_one_before_and_shares_no_more_than_the_overlap(text, sizes):
    size, overlap = sizes
    spans = split(text, size=size, overlap=overlap)
    for before, after in pairwise(spans):
        assert before.start < after.start
        assert before.stop < after.stop
        assert count_tokens(text[after.start : before.stop]) <= overlap


def test_pieces_overlap_where_words_are_short_enough():
    # 12 words of 4 bytes with a blank each; 5 tokens are 20 bytes, so 4 words (19 bytes) a piece, and 2 tokens of
    # overlap are 8 bytes, which one word fits into.
    spans = split("abcd " * 12, size=5, overlap=2)
    assert [(span.start // 5, (span.stop + 1) // 5) for span in spans] == [(0, 4), (3, 7), (6, 10), (9, 12)]


def test_a_word_longer_than_a_piece_is_cut_and_a_text_without_words_has_no_piece():
    assert [span.stop - span.start for span in split("語" * 25, size=10, overlap=3)] == [10, 10, 5]
    assert split(" \n\t ") == ()


def test_a_document_without_an_id_is_called_by_what_it_says():
    def read(**fields):
        return read_document(json.dumps(fields).encode(), model="sim", most_tokens=100)

    assert read(text="tide").id == read(text="tide", title="").id
    assert len({read(text="tide").id, read(text="tides").id, read(text="tide", title="a").id}) == 3
    assert read(text="tide", id="mine").digest == read(text="tide").digest
    assert read(text="tide", id="mine").id == "mine"
    assert read_document(b'{"text": "tide"}', model="other", most_tokens=9).digest != read(text="tide").digest


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"[]", 400, None),
        (b"{}", 400, "text"),
        (b'{"text": " \\n"}', 400, "text"),
        (b'{"text": 5}', 400, "text"),
        (b'{"text": "\\ud800"}', 400, None),
        (b'{"text": "x", "title": null}', 400, "title"),
        (b'{"text": "x", "title": "%s"}' % (b"t" * 501), 400, "title"),
        (b'{"text": "x", "id": ""}', 400, "id"),
        (b'{"text": "x", "id": "../x"}', 400, "id"),
        (b'{"text": "x", "id": 7}', 400, "id"),
        (b'{"text": "x", "txt": "y"}', 400, "txt"),
        (b'{"text": "%s"}' % (b"x" * 401), 413, "text"),
    ],
)
def test_a_document_that_cannot_be_taken_is_refused_with_the_field_to_look_at(body, status, param):
    with pytest.raises(BadAskError) as refused:
        read_document(body, model="sim", most_tokens=100)
    assert (refused.value.status, refused.value.param) == (status, param)


@pytest.mark.parametrize("k", [0, 51, -1, 1.5, "3", True, None])
def test_a_search_for_a_number_of_passages_that_makes_no_sense_is_refused(k):
    with pytest.raises(BadAskError, match="k must be a whole number"):
        read_search(json.dumps({"query": "tide", "k": k}).encode())


def test_vectors_are_kept_with_length_one_in_the_order_of_the_texts():
    answer = {"data": [{"index": 1, "embedding": [0, 2.0]}, {"index": 0, "embedding": [3, 4.0]}]}
    first, second = read_vectors(answer, 2)
    # (3, 4) has length 5; the cosine of (0.6, 0.8) and (0, 1) is 0.8.
    assert nearest(first, [first, second], 2) == [(0, pytest.approx(1.0)), (1, pytest.approx(0.8))]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"data": [7, 8]},
        embeddings([1.0]),
        embeddings([1.0], [2.0], [3.0]),
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]},
        embeddings([1.0], [1.0, 2.0]),
        embeddings([], []),
        embeddings([0.0], [1.0]),
        embeddings([None], [1.0]),
        embeddings([1e308 * 10], [1.0]),
        embeddings("AACAPw==", "AACAPw=="),
        embeddings({"a": 1}, {"a": 1}),
    ],
)
def test_an_answer_that_is_not_one_vector_for_each_text_is_refused(answer):
    with pytest.raises(ValueError, match="embedding"):
        read_vectors(answer, 2)


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)).filter(any), min_size=1, max_size=30))
def test_the_search_is_exact(vectors):
    best = nearest(kept((1, 2))[0], kept(*vectors), 5)
    # The cosine with (1, 2), from the definition.
    cosines = [(x + 2 * y) / (math.hypot(x, y) * math.sqrt(5)) for x, y in vectors]
    assert [score for _, score in best] == pytest.approx(sorted(cosines, reverse=True)[:5], abs=1e-6)
    assert [cosines[place] for place, _ in best] == pytest.approx([score for _, score in best], abs=1e-6)


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "documents.db")
    made.create()
    return made


def document(text="high tide", **fields):
    return read_document(json.dumps({"text": text, **fields}).encode(), model="sim", most_tokens=10_000)


def test_a_document_is_kept_once_and_replaced_as_a_whole(store):
    long = document("tide " * 400, id="one")
    vectors = kept(*[(1, n) for n in range(len(long.chunks))])
    assert len(vectors) > 2
    assert store.put("acme", "sim", long, vectors) == "stored"
    assert store.put("acme", "sim", long, vectors) == "unchanged"
    assert store.get("acme", "one").chunks == len(vectors)
    assert store.put("acme", "sim", document("ebb", id="one"), kept((1, 0))) == "replaced"
    assert (store.get("acme", "one").text, store.get("acme", "one").chunks) == ("ebb", 1)
    assert len(store.search("acme", "sim", kept((1, 0))[0], 50)) == 1


def test_tenants_do_not_see_each_others_documents(store):
    for tenant in ("acme", "globex"):
        store.put(tenant, "sim", document(f"what {tenant} knows", id="same"), kept((1, 0)))
    assert store.get("acme", "same").text == "what acme knows"
    assert [hit.text for hit in store.search("acme", "sim", kept((1, 0))[0], 9)] == ["what acme knows"]
    assert store.delete("acme", "same")
    assert not store.delete("acme", "same")
    assert store.get("acme", "same") is None
    assert [hit.text for hit in store.search("globex", "sim", kept((1, 0))[0], 9)] == ["what globex knows"]
    assert store.search("nobody", "sim", kept((1, 0))[0], 9) == []


def test_vectors_of_another_model_or_length_are_not_compared(store):
    store.put("acme", "sim", document("one", id="1"), kept((1, 0)))
    store.put("acme", "big", document("two", id="2"), kept((1, 0)))
    store.put("acme", "sim", document("three", id="3"), kept((1, 0, 0)))
    assert [hit.document for hit in store.search("acme", "sim", kept((1, 0))[0], 9)] == ["1"]


def test_a_document_with_a_vector_too_few_leaves_nothing_and_the_one_before_as_it_was(store):
    store.put("acme", "sim", document("before", id="one"), kept((1, 0)))
    long = document("tide " * 400, id="one")
    with pytest.raises(ValueError, match="zip"):
        store.put("acme", "sim", long, kept((1, 0)))
    # Half-way through the rows, where a full disk would strike.
    broken = [*kept(*[(1, 1)] * (len(long.chunks) - 1)), None]
    with pytest.raises(sqlite3.IntegrityError):
        store.put("acme", "sim", long, broken)
    assert (store.get("acme", "one").text, store.get("acme", "one").chunks) == ("before", 1)


def test_many_threads_write_and_search_at_once(store):
    def work(name):
        for number in range(8):
            store.put("acme", "sim", document(f"{name} {number}", id=f"{name}-{number}"), kept((name + 1, number)))
            store.search("acme", "sim", kept((1, 0))[0], 3)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert len(store.search("acme", "sim", kept((1, 0))[0], 50)) == 4 * 8


def test_what_was_answered_is_there_for_the_next_process(store, tmp_path):
    store.put("acme", "sim", document("kept", id="one"), kept((1, 0)))
    again = Store(tmp_path / "documents.db")
    again.create()
    assert again.get("acme", "one").text == "kept"
