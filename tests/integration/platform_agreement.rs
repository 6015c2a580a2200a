//! What is foretold of the platform agrees with what its real charts answered.
//!
//! The recorded answers are not part of this repository: they are read from the file that `BOBBYPIN_PLATFORM_CASES` names,
//! or from beside the repository. `tests/data/platform-cases.json` has the same form, is written by hand, and is always read.
#![expect(clippy::disallowed_methods, reason = "this test reads files and the environment")]

use std::{collections::BTreeMap, env, fs, io::Write, path::Path};

use bobbypin::{
    model::{layer::TenantId, name::Name},
    platform::{addons::TenantAddons, capabilities::Capabilities, host, tenant, values::PlatformValues},
};
use serde::Deserialize;
use serde_json::Value;

const ENVIRONMENT: &str = "BOBBYPIN_PLATFORM_CASES";
const RECORDED: &str = "../shared/fixtures/cozystack-render-cases.json";
const OWN: &str = "tests/data/platform-cases.json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    _origin: String,
    platform: Vec<PlatformCase>,
    tenant: Vec<TenantCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PlatformCase {
    name: String,
    version: String,
    variant: String,
    values: Value,
    live_package: bool,
    output: Option<Value>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TenantCase {
    name: String,
    version: String,
    tenant: BTreeMap<String, String>,
    etcd: String,
    addons: Value,
    /// Whether the chart finds the tenant's own release. Only in our own cases.
    #[serde(default)]
    parent_release: bool,
    output: Option<Value>,
    error: Option<String>,
}

/// What was answered: objects, or the guard that stopped the chart.
#[derive(Debug, PartialEq)]
enum Answer {
    Output(Value),
    Error(String),
}

#[test]
fn the_real_charts_agree_with_every_recorded_case() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDED);
    let path = match env::var_os(ENVIRONMENT) {
        Some(path) => path.into(),
        None if beside.is_file() => beside,
        None => {
            say(&format!(
                "NOT CHECKED against the real charts: {RECORDED} is not there and {ENVIRONMENT} is not set; only \
                 {OWN} was checked"
            ));
            return;
        }
    };
    check(&path);
}

#[test]
fn every_case_of_our_own_holds() {
    let cases = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join(OWN));
    assert!(cases.platform.len() >= 40 && cases.tenant.len() >= 40, "the table has lost rows");
}

fn check(path: &Path) -> Cases {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cases: Cases = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut wrong = Vec::new();
    let mut compare = |name: String, foretold: Result<Answer, String>, recorded: Result<Answer, String>| {
        if foretold != recorded || recorded.is_err() {
            wrong.push(format!("{name}\n  foretold: {foretold:?}\n  recorded: {recorded:?}"));
        }
    };
    for case in &cases.platform {
        compare(format!("platform {}", case.name), platform(case), recorded(&case.output, &case.error));
    }
    for case in &cases.tenant {
        compare(format!("tenant {}", case.name), tenant(case), recorded(&case.output, &case.error));
    }
    say(&format!(
        "{}: {} platform and {} tenant cases, {} wrong",
        path.display(),
        cases.platform.len(),
        cases.tenant.len(),
        wrong.len()
    ));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(!cases.platform.is_empty() && !cases.tenant.is_empty(), "{} has no cases", path.display());
    cases
}

fn recorded(output: &Option<Value>, error: &Option<String>) -> Result<Answer, String> {
    match (output, error) {
        (Some(output), None) => Ok(Answer::Output(output.clone())),
        (None, Some(error)) => Ok(Answer::Error(error.clone())),
        _ => Err("a case has either an output or an error".to_owned()),
    }
}

fn platform(case: &PlatformCase) -> Result<Answer, String> {
    let version = case.version.parse().map_err(|error| format!("{error}"))?;
    let (values, _) = PlatformValues::new(version, Some(&case.variant), case.values.clone())
        .map_err(|problems| format!("{problems:?}"))?;
    Ok(match host::emits(&values, case.live_package) {
        Ok(emission) => Answer::Output(serde_json::to_value(emission).map_err(|error| error.to_string())?),
        Err(guard) => Answer::Error(format!("{guard:?}")),
    })
}

fn tenant(case: &TenantCase) -> Result<Answer, String> {
    let capabilities = case.version.parse().map_err(|error| format!("{error}"))?;
    let capabilities = Capabilities::of(capabilities).map_err(|problem| problem.to_string())?;
    let name = |key: &str| {
        let text =
            case.tenant.get(key).filter(|_| case.tenant.len() == 2).ok_or("a tenant is a namespace and a name")?;
        Name::parse(text).map_err(|error| error.to_string())
    };
    let id = TenantId { namespace: name("namespace")?, name: name("name")? };
    let addons = TenantAddons::new(case.addons.clone()).map_err(|problems| format!("{problems:?}"))?;
    Ok(match tenant::addon_emits(&capabilities, &id, &addons, &case.etcd, case.parent_release) {
        Ok(objects) => Answer::Output(Value::Array(objects)),
        Err(guard) => Answer::Error(format!("{guard:?}")),
    })
}

/// Says a line on stderr, past the test harness, which would swallow it.
fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    stderr.write_all(format!("platform agreement: {line}\n").as_bytes()).expect("stderr is open");
}
