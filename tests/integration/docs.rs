//! The pages are complete and agree with the code.
#![expect(clippy::disallowed_methods, reason = "this test reads the project")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use bobbypin::{config::schema, ops::doctor::kind, render::templates::EMBEDDED};
use serde_json::Value;
use syn::visit::{self, Visit};

/// The folder of the project.
pub(crate) fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A fenced block.
pub(crate) struct Fence<'a> {
    pub(crate) language: &'a str,
    pub(crate) lines: Vec<&'a str>,
}

/// The fenced blocks of a page, in order.
pub(crate) fn fences(page: &str) -> Vec<Fence<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Fence<'_>> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some(Fence { language, lines: Vec::new() }),
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(fence)) => fence.lines.push(line),
            (None, None) => {}
        }
    }
    found
}

/// The README and every page, with their paths in the project.
pub(crate) fn pages() -> Vec<(String, String)> {
    let mut paths = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    let examples = fs::read_dir(project().join("examples")).expect("a folder of examples");
    let readmes =
        examples.map(|entry| format!("examples/{}/README.md", entry.expect("a readable entry").file_name().display()));
    paths.extend(readmes.filter(|path| fs::metadata(project().join(path)).is_ok()));
    let docs = fs::read_dir(project().join("docs")).expect("a folder of pages");
    paths.extend(docs.map(|entry| format!("docs/{}", entry.expect("a readable entry").file_name().display())));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), page(&path))).collect()
}

fn page(path: &str) -> String {
    fs::read_to_string(project().join(path)).expect("a page that exists")
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for (path, text) in pages() {
        let folder = project().join(&path).parent().map(Path::to_owned).unwrap_or_default();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { project().join(&path) } else { folder.join(file) };
            let has_anchor =
                || fs::read_to_string(&file).is_ok_and(|text| anchors(&text).iter().any(|found| found == anchor));
            if fs::metadata(&file).is_err() || !(anchor.is_empty() || has_anchor()) {
                wrong.push(format!("{path}: {target}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The anchors that a forge gives to headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let plain = |line: &str| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-")
    };
    headings.map(plain).collect()
}

#[test]
fn every_file_of_the_project_that_is_named_exists() {
    let mut wrong = Vec::new();
    for (path, text) in pages() {
        for code in text.split('`').skip(1).step_by(2) {
            let ours = ["docs/", "examples/", "src/", "tests/"].iter().any(|folder| code.starts_with(folder));
            if ours && !code.contains(['<', '*', ' ', '\n']) && fs::metadata(project().join(code)).is_err() {
                wrong.push(format!("{path}: {code}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The words in the first column of the tables of a section, each without its back quotes.
fn first_column(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    rows.flat_map(|(cell, _)| cell.split(", ")).map(|word| word.trim_matches('`').to_owned()).collect()
}

/// The part of a page below a heading of the second rank.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let found = page.split("\n## ").find(|section| section.lines().next() == Some(heading));
    found.unwrap_or_else(|| panic!("a section `{heading}`"))
}

#[test]
fn the_page_on_configuration_has_every_key_of_every_file() {
    let text = page("docs/configuration.md");
    for (kind, file) in
        [("cluster", "cluster.yaml"), ("repository", "bobbypin.yaml"), ("pins", "pins.yaml"), ("state", "state.yaml")]
    {
        let schema: Value = serde_json::from_str(&schema(kind).expect("a kind of file")).expect("JSON");
        let mut keys = BTreeSet::new();
        leaves(&schema, &schema, "", &mut keys);
        assert_eq!(first_column(section(&text, file)), keys, "{file}");
    }
}

/// The keys of a schema that hold a value, a list of values or a map.
fn leaves(schema: &Value, root: &Value, path: &str, keys: &mut BTreeSet<String>) {
    let resolved = schema.get("anyOf").and_then(|any| any.get(0)).unwrap_or(schema);
    let resolved = match resolved.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("a definition"),
        None => resolved,
    };
    if let Some(properties) = resolved.get("properties").and_then(Value::as_object) {
        let join = |key: &String| if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        properties.iter().for_each(|(key, value)| leaves(value, root, &join(key), keys));
    } else if let Some(items) = resolved.get("items").filter(|items| items.get("$ref").is_some()) {
        leaves(items, root, &format!("{path}[]"), keys);
    } else {
        keys.insert(path.to_owned());
    }
}

#[test]
fn the_page_on_templates_has_every_template_with_its_variables() {
    let text = page("docs/templates.md");
    let rows: BTreeSet<_> = section(&text, "Variables").lines().filter(|line| line.starts_with("| `")).collect();
    let wanted: BTreeSet<_> = EMBEDDED
        .iter()
        .map(|(path, text)| {
            let printed = text.split("{{").skip(1).map(|rest| rest.trim_start());
            let tested = text.split("{%- if ").skip(1);
            let word = |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
            let variables: BTreeSet<_> = printed.filter_map(word).chain(tested.filter_map(word)).collect();
            let variables: Vec<_> = variables.iter().map(|variable| format!("`{variable}`")).collect();
            let variables = if variables.is_empty() { "none".to_owned() } else { variables.join(", ") };
            format!("| `{path}` | {variables} |")
        })
        .collect();
    assert_eq!(rows, wanted.iter().map(String::as_str).collect());
}

#[test]
fn the_page_on_decisions_has_every_code_that_the_program_can_print() {
    let text = page("docs/decisions.md");
    let named: BTreeSet<_> = text.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let mut codes = Codes::default();
    for folder in ["plan", "platform", "dns", "manifest", "config/inventory", "ops"] {
        codes.of_folder(folder, &[&OF_DOCTOR[..], &[OF_FLUX, OF_DNS]].concat());
    }
    assert!(codes.0.len() > 70, "codes are no longer found where they stood: {:?}", codes.0);
    assert_eq!(codes.0.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new());
    let tables = first_column(&text);
    assert_eq!(tables.difference(&codes.0).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// The folders whose names are on the page on `doctor`.
const OF_DOCTOR: [&str; 2] = ["dns/corefile", "ops/doctor"];

#[test]
fn the_page_on_doctor_has_every_check_with_its_danger_and_all_that_is_found_in_a_corefile() {
    let text = page("docs/doctor.md");
    let rows = section(&text, "Checks").lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<_> = rows.map(|(id, rest)| (id, rest.split('|').next().unwrap_or_default().trim())).collect();
    let wanted: Vec<_> = kind::ALL.iter().map(|kind| (kind.id, kind.hazard.unwrap_or_default())).collect();
    assert_eq!(rows, wanted);

    let [mut of_corefile, mut of_doctor] = [Codes::default(), Codes::default()];
    of_corefile.of_folder(OF_DOCTOR[0], &[]);
    of_doctor.of_folder(OF_DOCTOR[1], &[]);
    assert_eq!(first_column(section(&text, "What is found in a Corefile")), of_corefile.0);
    // The findings that get their danger here have a row on the page on decisions.
    let decisions = page("docs/decisions.md");
    let named = |code: &&String| text.contains(&format!("`{code}`")) || decisions.contains(&format!("`{code}`"));
    let words = ["Ok", "Warn", "Fail", "True", "False", "Ingresses"];
    let unnamed = of_doctor.0.iter().filter(|code| !named(code) && !words.contains(&code.as_str()));
    assert_eq!(unnamed.collect::<Vec<_>>(), Vec::<&String>::new());
}

/// The folder whose names are on the page on DNS.
const OF_DNS: &str = "ops/dns";

#[test]
fn the_page_on_dns_has_every_code_of_its_commands() {
    let mut codes = Codes::default();
    codes.of_folder(OF_DNS, &[]);
    let text = page("docs/dns.md");
    let unnamed = codes.0.iter().filter(|code| !text.contains(&format!("`{code}`")));
    let of_objects = ["Corefile", "Ingress", "ConfigMap"];
    assert_eq!(unnamed.filter(|code| !of_objects.contains(&code.as_str())).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// The folder whose names are on the page on Flux.
const OF_FLUX: &str = "ops/rollout";

#[test]
fn the_page_on_flux_has_every_state_of_an_object() {
    let mut states = Codes::default();
    states.of_folder(OF_FLUX, &[]);
    // Conditions of Kubernetes are one of these.
    states.0.retain(|word| !["True", "False"].contains(&word.as_str()));
    states.0.insert("Ready".to_owned());
    assert_eq!(first_column(section(&page("docs/flux.md"), "States")), states.0);
}

fn sources(folder: &Path, but: &[PathBuf], each: &mut dyn FnMut(&str)) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            if !path.ends_with("tests") && !but.contains(&path) {
                sources(&path, but, each);
            }
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            each(&fs::read_to_string(path).expect("a readable file"));
        }
    }
}

/// Texts of the form of a code, outside of tests. Kinds of objects and a few words have the same form, and are known.
#[derive(Default)]
struct Codes(BTreeSet<String>);

impl Codes {
    /// Takes the codes of a folder of the sources, but for some folders in it.
    fn of_folder(&mut self, folder: &str, but: &[&str]) {
        let src = project().join("src");
        let but: Vec<_> = but.iter().map(|folder| src.join(folder)).collect();
        sources(&src.join(folder), &but, &mut |text| {
            self.visit_file(&syn::parse_file(text).expect("the crate compiles"));
        });
    }
}

const NO_CODES: [&str; 33] = [
    "Absent",
    "ClusterIP",
    "Component",
    "ConfigMap",
    "Corefile",
    "Deliver",
    "ExternalArtifact",
    "Gateway",
    "GitRepository",
    "Guard",
    "HelmRelease",
    "Hold",
    "Image",
    "Ingress",
    "Inventory",
    "Kubernetes",
    "Kustomization",
    "List",
    "Live",
    "LoadBalancer",
    "Namespace",
    "Package",
    "PartialObjectMetadata",
    "Plan",
    "Pod",
    "Present",
    "Ready",
    "Remove",
    "Secret",
    "Service",
    "Settings",
    "Tenant",
    "Unknown",
];

impl<'ast> Visit<'ast> for Codes {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        let text = text.value();
        let is_code = text.len() > 2
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text[1..].starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_code && !NO_CODES.contains(&text.as_str()) {
            self.0.insert(text);
        }
    }
}
