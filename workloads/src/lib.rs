//! What clients do: generators, clients, and the loop that drives them.
