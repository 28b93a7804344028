"""A game day: people around one scenario, with a page that shows what is broken, notes, and a button that ends it."""
