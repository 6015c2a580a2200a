//! What a block costs the rest of a Corefile: nothing. For the Corefiles of real clusters, where they are at hand, and for
//! generated ones; more of these with `BOBBYPIN_THOROUGH=1`.
#![expect(clippy::disallowed_methods, reason = "this test reads Corefiles that lie beside the project")]

use std::{env, fs, path::Path, time::Instant};

use bobbypin::dns::corefile::{
    editor::{Markers, Place, insert, read, remove},
    lexer::{Piece, lex},
    parser::Files,
    validate::{Verdict, judge},
};
use proptest::{prelude::*, test_runner::TestRunner};

use crate::support::thorough;

const OWN: &str = ".:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    log . \"{remote} said
{type}\" {
        class error
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure # not verified
        fallthrough in-addr.arpa ip6.arpa
    }
    # rewrite name old.example.org x.
    forward . /etc/resolv.conf
    cache 30
    reload
}

example.com:53 {
    forward . 192.0.2.1
}
";

fn place() -> Place<'static> {
    let markers = Markers::new("# --- BEGIN records ---", "# --- END records ---").expect("two comments");
    Place { zone: ".", port: 53, markers, owns: bobbypin::dns::snippet::is_record }
}

fn rules(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("rewrite name host-{index}.example.org proxy.x.svc.cluster.local.")).collect()
}

/// The Corefiles of real clusters, from the folder that `BOBBYPIN_COREFILES` names, else from beside this project.
fn recorded() -> Vec<String> {
    let folder = env::var("BOBBYPIN_COREFILES")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures").to_owned());
    let Ok(entries) = fs::read_dir(Path::new(&folder)) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let corefiles = paths.filter(|path| path.extension().is_some_and(|end| end == "txt"));
    corefiles.filter_map(|path| fs::read_to_string(path).ok()).filter(|text| text.contains(".:53 {")).collect()
}

/// The words outside our block.
fn words(text: &str) -> Vec<String> {
    let place = place();
    let mut is_inside = false;
    let pieces = lex(text).filter_map(|piece| match piece {
        Piece::Token(token) => (!is_inside).then(|| token.text.into_owned()),
        Piece::Comment(comment) => {
            let comment = text[comment.span].trim_end();
            is_inside = (is_inside || comment == place.markers.begin()) && comment != place.markers.end();
            None
        }
    });
    pieces.collect()
}

fn verdict(text: &str) -> Verdict {
    judge(text, &|_| Files::Known(Vec::new())).verdict()
}

fn check(text: &str, first: &[String], second: &[String]) {
    let place = place();
    let inserted = insert(text, &place, first).expect("a Corefile that can be edited");
    assert_eq!(remove(&inserted, &place).as_deref(), Ok(text));
    assert_eq!(insert(&inserted, &place, first).as_ref(), Ok(&inserted));
    assert_eq!(insert(&inserted, &place, second), insert(text, &place, second));
    assert_eq!(read(&inserted, &place), Ok(Some(first.iter().map(String::as_str).collect())));
    assert_eq!(words(&inserted), words(text));
    assert_eq!(verdict(&inserted), verdict(text), "{inserted}");
    let ending = |text: &str| (text.matches("\r\n").count(), text.matches('\n').count());
    let (dos, all) = ending(text);
    let (dos_after, all_after) = ending(&inserted);
    assert_eq!(all_after - all, first.len() + 2, "one line for each, and two markers");
    assert_eq!(dos_after - dos, if dos == all { first.len() + 2 } else { 0 }, "the line ends of the neighbours");
}

#[test]
fn a_block_in_the_corefile_of_a_cluster_changes_nothing_else() {
    let mut texts = recorded();
    texts.push(OWN.to_owned());
    for text in texts {
        let text = text.replace("\r\n", "\n");
        for text in [text.clone(), text.replace('\n', "\r\n"), text.replace("    ", "\t"), text.trim_end().to_owned()] {
            for count in [0, 1, 3, 200] {
                check(&text, &rules(count), &rules(2));
            }
        }
    }
}

#[test]
fn a_block_in_any_corefile_changes_nothing_else() {
    let line = prop::sample::select(vec![
        "errors",
        "cache 30",
        "log . \"a b\"",
        "log . \"a\nb\"",
        "# note",
        "# --- BEGIN somebody ---",
        "health {\n        lameduck 5s\n    }",
        "rewrite stop {\n        name exact a.example.org b.\n    }",
        "hosts {\n        192.0.2.1 a.example.org # one\n        fallthrough\n    }",
        "cach 30",
        "",
        "reload # often",
        "forward . 192.0.2.1 { }",
    ]);
    let block = (prop::collection::vec((line, "    |\t|  \t| "), 0..8), "[ \t]{0,2}");
    let corefile = (block, any::<bool>(), prop::option::of("[a-z]{1,5}\\.example:53 \\{\n whoami\n\\}\n"), "\n{0,3}");
    let strategy = (corefile, 0..6_usize, 0..6_usize);
    let config = ProptestConfig {
        cases: u32::try_from(thorough::size(512, 50_000)).expect("a number of cases"),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let began = Instant::now();
    let cases = config.cases;
    let outcome = TestRunner::new(config).run(&strategy, |(corefile, first, second)| {
        let ((lines, indent), is_dos, other, end) = corefile;
        let lines: String = lines.iter().map(|(line, indent)| format!("{indent}{line}\n")).collect();
        let mut text = format!("{}.:53 {{\n{lines}{indent}}}\n{end}", other.unwrap_or_default());
        if is_dos {
            text = text.replace('\n', "\r\n");
        }
        check(&text, &rules(first), &rules(second));
        Ok(())
    });
    outcome.expect("no Corefile is harmed");
    thorough::tell(format_args!("{cases} Corefiles edited"), began.elapsed());
}
