//! Bad input: each kind gets a clear refusal, and no part of it reaches a user.

mod bodies;
mod injection;
mod keys;
mod numbers;
mod proofs;
mod refused_by_the_database;
mod tenants;
mod times;
mod tokens;
