//! What a Corefile says, and how it is changed without harm; pure.
//!
//! [`lexer`] and [`parser`] read it exactly as CoreDNS does, [`address`] reads the keys of a server block and [`rewrite`]
//! its rewrite rules. [`editor`] changes one block between two marker comments and nothing else, and [`lint`] tells what
//! will not work as it looks.

pub mod address;
pub mod editor;
pub mod lexer;
pub mod lint;
pub mod parser;
pub mod plugins;
pub mod problem;
pub mod rewrite;
#[cfg(test)]
mod tests;

/// Whether some server block of a Corefile imports override files of a folder: `import <folder>/*.override`.
///
/// Only the import that the record form `rewrite-snippet` relies on is looked for. A Corefile that CoreDNS cannot read
/// imports nothing.
pub fn imports_overrides(corefile: &str) -> bool {
    parser::parse(corefile, &|_| parser::Files::Unknown).is_ok_and(|corefile| {
        corefile.imports.iter().any(|import| import.server.is_some() && import.pattern.text.ends_with("*.override"))
    })
}
