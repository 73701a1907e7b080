//! Tests of the guard through its public functions: what it admits and rejects, how it merges fields, and that no text
//! makes it panic or run for long.

mod admission;
mod fuzzing;
mod merging;
mod support;
mod variables;
