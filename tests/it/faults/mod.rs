//! Servers die, stop and come back while notifications flow; the checker sees to it that nothing is lost, repeated or
//! out of order.

mod clients;
mod forgotten;
mod instances;
mod language;
mod postgres;
mod postgres_bus;
mod races;
mod redis;
mod rotation;
mod switch_over;
