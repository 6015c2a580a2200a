//! The folder `templates` and the templates that the program carries are the same.
#![expect(clippy::disallowed_methods, reason = "this test reads the templates")]

use std::{collections::BTreeMap, fs, path::Path};

use bobbypin::{
    manifest::MARK,
    render::{Templates, templates::EMBEDDED},
};

#[test]
fn every_template_of_the_folder_is_embedded_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut found = BTreeMap::new();
    let mut open = vec![String::new()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(root.join(&folder)).expect("a readable folder") {
            let entry = entry.expect("a readable entry");
            let path = format!("{folder}{}", entry.file_name().into_string().expect("names here are UTF-8"));
            if entry.path().is_dir() {
                open.push(format!("{path}/"));
            } else {
                let text = fs::read_to_string(entry.path()).expect("templates are text");
                found.insert(path, text);
            }
        }
    }
    let embedded: BTreeMap<_, _> =
        EMBEDDED.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    assert_eq!(found, embedded);
    assert_eq!(embedded.len(), EMBEDDED.len(), "no path is embedded twice");
}

#[test]
fn every_template_begins_with_the_mark_and_ends_with_one_line_break() {
    for (path, text) in EMBEDDED {
        assert!(text.starts_with(&format!("{MARK}\napiVersion: ")), "{path}");
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{path}");
        assert!(path.ends_with(".yaml.tera"), "{path}");
    }
}

#[test]
fn an_override_must_replace_a_template_that_there_is() {
    for (path, _) in EMBEDDED {
        let same = BTreeMap::from([((*path).to_owned(), format!("{MARK}\n"))]);
        assert!(Templates::new(&same).is_ok(), "{path}");
        let misplaced = BTreeMap::from([(format!("x/{path}"), format!("{MARK}\n"))]);
        assert!(Templates::new(&misplaced).is_err(), "{path}");
    }
}
