//! What a Corefile says, and how it is changed without harm; pure.
//!
//! [`lexer`] and [`parser`] read it exactly as CoreDNS does, [`address`] reads the keys of a server block and [`rewrite`]
//! its rewrite rules. [`validate`] predicts whether CoreDNS loads it. [`editor`] changes one block between two marker
//! comments and nothing else, and [`lint`] tells what will not work as it looks.

pub mod address;
mod dispenser;
pub mod editor;
pub mod expression;
pub mod lexer;
pub mod lint;
pub mod parser;
pub mod plugins;
pub mod problem;
pub mod rewrite;
#[cfg(test)]
mod tests;
pub mod validate;
