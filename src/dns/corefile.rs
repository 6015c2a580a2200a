//! What a record form needs of a Corefile.

/// Whether some line of a Corefile imports override files of a folder: `import <folder>/*.override`.
///
/// Only the import that the record form `rewrite-snippet` relies on is looked for; comments do not count.
pub fn imports_overrides(corefile: &str) -> bool {
    corefile.lines().any(|line| {
        let code = line.split_once('#').map_or(line, |(code, _)| code);
        let mut words = code.split_whitespace();
        words.next() == Some("import") && words.next().is_some_and(|glob| glob.ends_with("*.override"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_live_import_of_override_files_counts() {
        let good = ".:53 {\n    errors\n    import /etc/coredns/custom/*.override\n    cache 30\n}\n";
        assert!(imports_overrides(good));
        for bad in [
            "",
            ".:53 {\n  # import /etc/coredns/custom/*.override\n}\n",
            "import /etc/coredns/custom/*.server\n",
            "imports x/*.override\n",
        ] {
            assert!(!imports_overrides(bad), "{bad:?}");
        }
    }
}
