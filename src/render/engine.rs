//! Turns templates and their contexts into text.
//!
//! Every string that a template prints becomes one YAML scalar on one line ([`yaml::scalar`]), so no value can add a key,
//! a document or another type. The filter `yaml(indent=N)` prints a map or list as a block ([`yaml::block`]), every line of
//! it indented by N; it stands at the beginning of a line.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use serde::Serialize;
use tera::{Context, Kwargs, State, Tera, TeraResult, Value};

use crate::{
    manifest::yaml,
    render::dialect::{self, Shape},
};

/// The most bytes that one template may print.
const LARGEST_OUTPUT: usize = 4 << 20;

/// The most loop bodies that one rendering may run through: about a second.
const MOST_STEPS: u128 = 10_000_000;

/// The largest indentation that `yaml` takes; deeper is a mistake.
const DEEPEST_INDENT: usize = 100;

/// Why templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Templates are wrong, or override nothing. Every problem of every template, each a text of several lines.
    #[error("the templates cannot be used:\n\n{}", problems.join("\n\n"))]
    Load {
        /// By path, then place.
        problems: Vec<String>,
    },
    /// There is no such template.
    #[error("there is no template `{0}`")]
    Missing(String),
    /// The context cannot be turned into values.
    #[error("the context of `{path}` cannot be used")]
    Context {
        /// The template.
        path: String,
        /// Why.
        source: tera::Error,
    },
    /// The template asks for what its context does not have, or uses it wrongly.
    #[error("cannot render `{path}`")]
    Render {
        /// The template.
        path: String,
        /// Where and why.
        source: tera::Error,
    },
    /// The template tests a variable that its context does not have, which is always false.
    #[error("`{path}` uses `{variable}`, which it is not given; it is given {given}")]
    Variable {
        /// The template.
        path: String,
        /// The name that is unknown.
        variable: String,
        /// The names that it can use.
        given: String,
    },
    /// The template prints more than a manifest can have.
    #[error("`{path}` prints more than {LARGEST_OUTPUT} bytes; look for a loop in a loop")]
    TooLong {
        /// The template.
        path: String,
    },
    /// The loops of the template could run for minutes.
    #[error(
        "`{path}` could run through its loops {steps} times, and at most {MOST_STEPS} are allowed; \
         look for a loop in a loop"
    )]
    TooManySteps {
        /// The template.
        path: String,
        /// By the longest list or text in its context.
        steps: u128,
    },
}

/// Parsed and checked templates.
#[derive(Debug)]
pub struct Engine {
    tera: Tera,
    shapes: BTreeMap<String, Shape>,
}

impl Engine {
    /// Parses the embedded templates, with those of them replaced that `overrides` has under the same path.
    ///
    /// Reports every problem of every template at once. An override of a path that is not embedded is a problem too: it
    /// would never be used.
    pub fn new(embedded: &[(&str, &str)], overrides: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let mut templates: BTreeMap<&str, &str> = embedded.iter().copied().collect();
        let mut problems: Vec<_> = overrides
            .keys()
            .filter(|path| !templates.contains_key(path.as_str()))
            .map(|path| unknown(path, embedded))
            .collect();
        for (path, text) in overrides {
            templates.entry(path).and_modify(|embedded| *embedded = text);
        }
        let mut shapes = BTreeMap::new();
        let mut parsed = BTreeMap::new();
        for (&path, &text) in &templates {
            match check_one(path, text) {
                Ok(shape) => {
                    shapes.insert(path.to_owned(), shape);
                    parsed.insert(path, text);
                }
                Err(found) => problems.extend(found),
            }
        }
        let mut tera = empty();
        // What templates include can only be looked up when all of them are there.
        if parsed.len() == templates.len()
            && let Err(error) = tera.add_raw_templates(parsed)
        {
            problems.push(error.to_string());
        }
        if problems.is_empty() { Ok(Self { tera, shapes }) } else { Err(TemplateError::Load { problems }) }
    }

    /// Renders one template. The same template and context give the same bytes.
    ///
    /// `context` must be a struct or a map; its fields are the variables of the template.
    pub fn render(&self, path: &str, context: &impl Serialize) -> Result<String, TemplateError> {
        if !self.shapes.contains_key(path) {
            return Err(TemplateError::Missing(path.to_owned()));
        }
        let of_context = |source| TemplateError::Context { path: path.to_owned(), source };
        let values = Value::try_from_serializable(context).map_err(of_context)?;
        let context = Context::from_serialize(&values).map_err(of_context)?;
        let steps = dialect::most_steps(&self.shapes, path, longest(&values));
        if steps > MOST_STEPS {
            return Err(TemplateError::TooManySteps { path: path.to_owned(), steps });
        }
        let mut output = Output { bytes: Vec::new(), full: false };
        let of_render = |source| TemplateError::Render { path: path.to_owned(), source };
        match self.tera.render_to(path, &context, &mut output) {
            Ok(()) => {}
            Err(_) if output.full => return Err(TemplateError::TooLong { path: path.to_owned() }),
            Err(source) => return Err(of_render(source)),
        }
        self.check_variables(path, &values)?;
        Ok(String::from_utf8(output.bytes).expect("templates and values are text, and so is what they print"))
    }

    /// Finds a misspelt variable in a condition, which Tera takes for a false one.
    fn check_variables(&self, path: &str, values: &Value) -> Result<(), TemplateError> {
        let of_render = |source| TemplateError::Render { path: path.to_owned(), source };
        let given: BTreeSet<_> = values.as_map().into_iter().flatten().filter_map(|(name, _)| name.as_str()).collect();
        let used: BTreeSet<_> = self.tera.get_template_variables(path).map_err(of_render)?.into_iter().collect();
        match used.difference(&given).next() {
            None => Ok(()),
            Some(variable) => Err(TemplateError::Variable {
                path: path.to_owned(),
                variable: (*variable).to_owned(),
                given: given.into_iter().collect::<Vec<_>>().join(", "),
            }),
        }
    }
}

/// An engine without templates.
fn empty() -> Tera {
    let mut tera = Tera::default();
    tera.set_escape_fn(|text, out| out.write_all(yaml::scalar(text).as_bytes()));
    // Every name ends with nothing, so every template is escaped.
    tera.autoescape_on([""]);
    tera.register_filter("yaml", print_block);
    tera
}

fn print_block(value: Value, arguments: Kwargs, _: &State<'_>) -> TeraResult<Value> {
    let indent: usize = arguments.must_get("indent")?;
    if indent > DEEPEST_INDENT {
        return Err(tera::Error::message(format!("`yaml` indents by at most {DEEPEST_INDENT}")));
    }
    let value =
        serde_json::to_value(&value).map_err(|error| tera::Error::chain("`yaml` cannot read the value", error))?;
    let text = yaml::block(&value, indent)
        .map_err(|error| tera::Error::message(format!("`yaml` cannot write the value: {error}")))?;
    Ok(Value::safe_string(&text))
}

fn check_one(path: &str, text: &str) -> Result<Shape, Vec<String>> {
    match empty().add_raw_templates([(path, text)]) {
        // Other errors are about other templates, which are not here yet.
        Err(error) if matches!(error.kind(), tera::ErrorKind::SyntaxError(_)) => Err(vec![error.to_string()]),
        Ok(()) | Err(_) => dialect::check(path, text),
    }
}

fn unknown(path: &str, embedded: &[(&str, &str)]) -> String {
    let mut known: Vec<_> = embedded.iter().map(|(path, _)| *path).collect();
    known.sort_unstable();
    let likeness = |known: &str| similar::TextDiff::from_chars(path, known).ratio();
    let close = known.iter().map(|known| (likeness(known), *known)).max_by(|one, other| one.0.total_cmp(&other.0));
    let guess = match close {
        Some((likeness, known)) if likeness > 0.6 => format!("; did you mean `{known}`?"),
        _ => String::new(),
    };
    format!(
        "error: `{}` overrides no template{guess}\n  the templates are:\n    {}",
        path.escape_debug(),
        known.join("\n    ")
    )
}

/// The length of the longest thing in a value that a loop can run over.
fn longest(value: &Value) -> usize {
    if let Some(map) = value.as_map() {
        map.values().map(longest).fold(map.len(), usize::max)
    } else if let Some(list) = value.as_array() {
        list.iter().map(longest).fold(list.len(), usize::max)
    } else {
        value.len().unwrap_or(0)
    }
}

/// What was printed, up to a limit.
struct Output {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > LARGEST_OUTPUT - self.bytes.len() {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn engine(templates: &[(&str, &str)]) -> Engine {
        Engine::new(templates, &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn render(template: &str, context: &serde_json::Value) -> Result<String, String> {
        Engine::new(&[("a.yaml.tera", template)], &BTreeMap::new())
            .and_then(|engine| engine.render("a.yaml.tera", context))
            .map_err(|error| match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            })
    }

    #[test]
    fn every_value_is_printed_as_one_scalar_or_one_block() {
        let template = "\
name: {{ name }}
title: {{ title }}
count: {{ count }}
on: {{ on }}
{% for host in hosts -%}
- {{ host }}
{% endfor -%}
{% if labels -%}
labels:
{{ labels | yaml(indent=2) }}
{% endif -%}
first: {{ hosts | first }}
{% include \"b.yaml.tera\" %}
";
        let engine = engine(&[("a.yaml.tera", template), ("b.yaml.tera", "included: {{ title }}")]);
        let context = json!({
            "name": "shop",
            "title": "a: b\nc: d",
            "count": 3,
            "on": true,
            "hosts": ["a.example.org", "yes"],
            "labels": {"z": "1", "a": ["x", {"b": "z"}]},
        });
        let expected = "\
name: shop
title: \"a: b\\nc: d\"
count: 3
on: true
- a.example.org
- \"yes\"
labels:
  z: \"1\"
  a:
  - x
  - b: z
first: a.example.org
included: \"a: b\\nc: d\"
";
        assert_eq!(engine.render("a.yaml.tera", &context).expect("a lawful template"), expected);
    }

    #[test]
    fn rendering_is_the_same_in_every_thread_and_every_engine() {
        let templates =
            [("a", "{% for key, value in map %}{{ key }}: {{ value }}\n{% endfor %}{{ map | yaml(indent=0) }}")];
        let map: serde_json::Map<_, _> = (0..50).map(|n| (format!("key-{}", n * 7919 % 50), json!(n))).collect();
        let context = json!({"map": map});
        let first = engine(&templates).render("a", &context).expect("a lawful template");
        assert!(first.starts_with("key-0: 0\nkey-19: 1\n"), "{first}");
        let shared = engine(&templates);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        assert_eq!(shared.render("a", &context).expect("a lawful template"), first);
                    }
                });
            }
        });
    }

    #[test]
    fn an_override_replaces_the_template_of_the_same_path() {
        let overrides = BTreeMap::from([("b".to_owned(), "mine: {{ x }}\n".to_owned())]);
        let engine = Engine::new(&[("a", "{% include \"b\" %}"), ("b", "theirs: {{ x }}\n")], &overrides);
        let text = engine.and_then(|engine| engine.render("a", &json!({"x": 1})));
        assert_eq!(text.expect("lawful templates"), "mine: 1\n");
    }

    #[test]
    fn all_problems_of_all_templates_are_reported_at_once() {
        let overrides = BTreeMap::from([
            ("host/overlay/packge.yaml.tera".to_owned(), String::new()),
            ("host/overlay/package.yaml.tera".to_owned(), "a: 1\nb: {{ x | }}\n".to_owned()),
        ]);
        let templates = [
            ("host/overlay/package.yaml.tera", ""),
            ("tenant/a.yaml.tera", "{% if x %}\n"),
            ("tenant/b.yaml.tera", "{{ x | safe }}{% set y = 1 %}\n  {{ range(end=3) }}\n"),
        ];
        let error = Engine::new(&templates, &overrides).expect_err("four wrong templates").to_string();
        for part in [
            "`host/overlay/packge.yaml.tera` overrides no template; did you mean `host/overlay/package.yaml.tera`?",
            "--> host/overlay/package.yaml.tera:2:",
            "--> tenant/a.yaml.tera:",
            "no filter `safe`",
            "--> tenant/b.yaml.tera:1:8",
            "no `set`",
            "--> tenant/b.yaml.tera:1:18",
            "--> tenant/b.yaml.tera:2:6\n  |\n2 |   {{ range(end=3) }}\n  |      ^",
        ] {
            assert!(error.contains(part), "{part:?} is not in\n{error}");
        }
    }

    #[test]
    fn what_templates_include_is_looked_up_when_they_are_loaded() {
        for (templates, part) in [
            ([("a", "{% include \"b\" %}"), ("b", "{% include \"a\" %}")], "Circular include"),
            ([("a", "x\n{% include \"../../etc/passwd\" %}"), ("b", "")], "--> a:2:"),
            ([("a", "{% if x is unheard_of %}{% endif %}"), ("b", "")], "Unknown test `unheard_of`"),
        ] {
            let error = Engine::new(&templates, &BTreeMap::new()).expect_err("a wrong include").to_string();
            assert!(error.contains(part), "{part:?} is not in\n{error}");
        }
    }

    #[test]
    fn a_missing_variable_is_an_error_with_its_place_or_its_name() {
        let context = json!({"given": {"x": 1}, "other": null});
        for (template, part) in [
            ("a: 1\nb: {{ missing }}\n", "a.yaml.tera:2:7"),
            ("{{ given.y }}", "a.yaml.tera:1:10"),
            ("{% for x in missing %}{% endfor %}", "a.yaml.tera:1:13"),
            (
                "{% if missing %}{% endif %}",
                "`a.yaml.tera` uses `missing`, which it is not given; it is given given, other",
            ),
            ("{{ given | yaml }}", "indent"),
            ("{{ given | yaml(indent=1000) }}", "at most 100"),
            ("a:\n{{ given.x | yaml(indent=2) }}", "neither a map nor a list"),
            ("{{ [other] | yaml(indent=2) }}", "null at `/0`"),
        ] {
            let error = render(template, &context).expect_err("a variable is missing");
            assert!(error.contains(part), "{part:?} is not in\n{error}");
        }
        assert!(matches!(engine(&[]).render("a", &json!({})), Err(TemplateError::Missing(_))));
        assert!(matches!(engine(&[("a", "")]).render("a", &json!([1])), Err(TemplateError::Context { .. })));
    }

    #[test]
    fn a_bomb_is_stopped_whether_it_prints_or_not() {
        let list: Vec<_> = (0..4000).collect();
        let context = json!({"list": list, "text": "x".repeat(9_000)});
        for bomb in [
            "{% for a in list %}{% for b in list %}{% endfor %}{% endfor %}",
            "{% for a in list %}{% include \"inner\" %}{% endfor %}",
            "{% for a in text %}{% for b in text %}{% endfor %}{% endfor %}",
        ] {
            let engine = engine(&[("a", bomb), ("inner", "{% for b in list %}{% endfor %}")]);
            let error = engine.render("a", &context).expect_err("a bomb");
            assert!(matches!(error, TemplateError::TooManySteps { steps: 16_000_000.., .. }), "{error}");
        }
        let written_out = format!("{{% for a in [{}] %}}{{% endfor %}}", vec!["1"; 4000].join(","));
        let nested = written_out.replace("{% endfor %}", &format!("{written_out}{{% endfor %}}"));
        let error = engine(&[("a", &nested)]).render("a", &json!({})).expect_err("a bomb");
        assert!(matches!(error, TemplateError::TooManySteps { .. }), "{error}");

        let chain: Vec<_> =
            (0..30).map(|n| (format!("t{n}"), format!("{{% include \"t{}\" %}}", n + 1).repeat(10))).collect();
        let mut templates: Vec<_> = chain.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        templates.push(("t30", ""));
        let error = engine(&templates).render("t0", &json!({})).expect_err("a bomb");
        assert!(matches!(error, TemplateError::TooManySteps { .. }), "{error}");

        let printing = format!("{{% for a in list %}}{}{{% endfor %}}", "0123456789".repeat(200));
        let error = engine(&[("a", &printing)]).render("a", &context).expect_err("eight million bytes");
        assert!(matches!(error, TemplateError::TooLong { .. }), "{error}");

        let lawful = engine(&[("a", "{% for a in list %}{% for b in list %}{% endfor %}{% endfor %}")]);
        let hosts: Vec<_> = (0..2000).collect();
        assert_eq!(lawful.render("a", &json!({"list": hosts})).expect("lawful loops"), "");
    }
}
