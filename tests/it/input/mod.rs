//! Bad input: each kind meets a clear refusal, and nothing of it reaches anybody.

mod bodies;
mod injection;
mod keys;
mod proofs;
mod tenants;
mod times;
mod tokens;
