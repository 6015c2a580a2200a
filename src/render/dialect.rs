//! The part of Tera that templates may use.
//!
//! A template shapes: it places values, repeats lines for the items of a list, leaves lines out. It gets everything from
//! its context. What could compute without end or hide what is printed (`set`, blocks, components, functions,
//! comprehensions, joining texts, `safe`) is refused when the templates are loaded, with its place. What remains is so
//! plain that the most steps a rendering can take are known before it begins.

use std::{collections::BTreeMap, fmt::Write as _};

/// Statements that a template may have.
const STATEMENTS: [&str; 9] = ["break", "continue", "elif", "else", "endfor", "endif", "for", "if", "include"];

/// Filters that a template may use. None makes a value larger than it was, but for `yaml` by its indentation.
const FILTERS: [&str; 12] =
    ["first", "get", "keys", "last", "length", "lower", "nth", "reverse", "sort", "unique", "values", "yaml"];

/// Words after which a parenthesis only groups.
const OPERATORS: [&str; 7] = ["and", "elif", "else", "if", "in", "is", "not"];

/// What one template can make the engine do.
#[derive(Debug, Default)]
pub(super) struct Shape {
    steps: Vec<Step>,
    /// The length of the longest list or text that is written out in the template.
    longest: usize,
}

/// A loop or an include.
#[derive(Debug)]
struct Step {
    /// The number of loops around the body.
    depth: u32,
    /// The template that is included; `None` for a loop.
    include: Option<String>,
}

/// Checks one template that Tera could parse. Each problem is a text for people, with the place in it.
pub(super) fn check(path: &str, text: &str) -> Result<Shape, Vec<String>> {
    let mut shape = Shape::default();
    let mut problems = Vec::new();
    let mut depth = 0;
    for tag in (Tags { text, at: 0 }) {
        for (at, message) in problems_of(&tag) {
            problems.push(report(path, text, at, &message));
        }
        shape.longest = shape.longest.max(tag.longest());
        match tag.tokens[..] {
            [Token::Word("for"), ..] if tag.statement => {
                depth += 1;
                shape.steps.push(Step { depth, include: None });
            }
            [Token::Word("endfor"), ..] if tag.statement => depth = depth.saturating_sub(1),
            [Token::Word("include"), Token::Text(name), ..] if tag.statement => {
                shape.steps.push(Step { depth, include: Some(name.to_owned()) });
            }
            _ => {}
        }
    }
    if problems.is_empty() { Ok(shape) } else { Err(problems) }
}

/// The most loop bodies and includes that rendering a template can run through, when no list of the context has more than
/// `longest` items. Includes do not form a circle: Tera refuses that when it loads.
pub(super) fn most_steps(shapes: &BTreeMap<String, Shape>, path: &str, longest: usize) -> u128 {
    fn count<'a>(
        shapes: &'a BTreeMap<String, Shape>,
        path: &'a str,
        longest: u128,
        known: &mut BTreeMap<&'a str, u128>,
    ) -> u128 {
        if let Some(&steps) = known.get(path) {
            return steps;
        }
        let mut total = 1_u128;
        for step in shapes.get(path).into_iter().flat_map(|shape| &shape.steps) {
            let inner = step.include.as_deref().map_or(1, |include| count(shapes, include, longest, known));
            total = total.saturating_add(longest.saturating_pow(step.depth).saturating_mul(inner));
        }
        known.insert(path, total);
        total
    }
    let longest = shapes.values().map(|shape| shape.longest).fold(longest, usize::max);
    count(shapes, path, longest as u128, &mut BTreeMap::new())
}

/// A message in the form of Tera's own: the place, the line, and a mark below it.
fn report(path: &str, text: &str, at: usize, message: &str) -> String {
    let before = &text[..at];
    let number = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |line_break| line_break + 1);
    let column = text[start..at].chars().count();
    let line = text[start..].lines().next().unwrap_or_default();
    let margin = " ".repeat(number.to_string().len());
    let mut out = format!("error: {message}\n{margin}--> {path}:{number}:{}\n", column + 1);
    let _ = write!(out, "{margin} |\n{number} | {line}\n{margin} | {}^", " ".repeat(column));
    out
}

fn problems_of(tag: &Tag<'_>) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    if tag.statement
        && let [Token::Word(statement), ..] = tag.tokens[..]
        && !STATEMENTS.contains(&statement)
    {
        let lawful = STATEMENTS.join(", ");
        problems.push((tag.places[0], format!("templates have no `{statement}`, only {lawful}")));
    }
    for (index, (token, &at)) in tag.tokens.iter().zip(&tag.places).enumerate() {
        let before = index.checked_sub(1).map(|before| tag.tokens[before]);
        let after = tag.tokens.get(index + 1);
        let is_test = before == Some(Token::Word("is"))
            || (before == Some(Token::Word("not")) && index > 1 && tag.tokens[index - 2] == Token::Word("is"));
        match *token {
            Token::Word("safe") if before == Some(Token::Mark('|')) => {
                let message =
                    "templates have no filter `safe`: print a value as it is, and a map or list by `yaml(indent=N)`";
                problems.push((at, message.to_owned()));
            }
            Token::Word(filter) if before == Some(Token::Mark('|')) && !FILTERS.contains(&filter) => {
                problems.push((at, format!("templates have no filter `{filter}`, only {}", FILTERS.join(", "))));
            }
            Token::Word("for") if index > 0 || !tag.statement => {
                problems.push((at, "templates have no comprehensions: the context must hold the list".to_owned()));
            }
            Token::Word(name) if name.starts_with("__tera") => {
                problems.push((at, format!("templates cannot use `{name}`: it has no fixed order")));
            }
            Token::Word(name)
                if after == Some(&Token::Mark('('))
                    && before != Some(Token::Mark('|'))
                    && !is_test
                    && !OPERATORS.contains(&name)
                    && name != "or" =>
            {
                problems.push((at, format!("templates call no functions, so there is no `{name}`")));
            }
            Token::Mark('~') => {
                problems.push((at, "templates do not join texts: the context must hold the whole text".to_owned()));
            }
            Token::Mark('.') if before == Some(Token::Mark('.')) && after == Some(&Token::Mark('.')) => {
                problems.push((at, "templates do not spread lists: the context must hold the list".to_owned()));
            }
            Token::Word(_) | Token::Text(_) | Token::Mark(_) => {}
        }
    }
    problems
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// A string, without its quotes and with its escapes.
    Text(&'a str),
    Mark(char),
}

/// One `{% … %}` or `{{ … }}`.
struct Tag<'a> {
    /// `{% … %}`
    statement: bool,
    tokens: Vec<Token<'a>>,
    /// The offsets of the tokens in the template.
    places: Vec<usize>,
}

impl Tag<'_> {
    /// The length of the longest list or text that is written out here, or more.
    fn longest(&self) -> usize {
        let items = self.tokens.iter().filter(|token| **token == Token::Mark(',')).count() + 1;
        let texts = self.tokens.iter().map(|token| if let Token::Text(text) = token { text.len() } else { 0 });
        texts.fold(items, usize::max)
    }
}

/// Goes through a template as Tera's lexer does (`parsing/lexer.rs` of tera 2.4): marks count only outside of comments,
/// and ends of tags only outside of strings.
struct Tags<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            let rest = &self.text[self.at..];
            let start = ["{{", "{%", "{#"].iter().filter_map(|mark| rest.find(mark)).min()?;
            let kind = &rest[start..start + 2];
            self.at += start + 2;
            if kind == "{#" {
                self.at += self.text[self.at..].find("#}")? + 2;
                continue;
            }
            self.at += usize::from(self.text[self.at..].starts_with('-'));
            let end = if kind == "{%" { "%}" } else { "}}" };
            let mut tag = Tag { statement: kind == "{%", tokens: Vec::new(), places: Vec::new() };
            while let Some((token, place)) = self.token(end) {
                tag.tokens.push(token);
                tag.places.push(place);
            }
            return Some(tag);
        }
    }
}

impl<'a> Tags<'a> {
    /// The next token of a tag, or `None` behind its end.
    fn token(&mut self, end: &str) -> Option<(Token<'a>, usize)> {
        let rest = self.text[self.at..].trim_start_matches(|c: char| c.is_ascii_whitespace());
        let place = self.text.len() - rest.len();
        let closed = rest.strip_prefix(end).or_else(|| rest.strip_prefix('-')?.strip_prefix(end));
        if let Some(closed) = closed {
            self.at = self.text.len() - closed.len();
            return None;
        }
        let first = rest.chars().next()?;
        let (token, length) = match first {
            '"' | '\'' | '`' => {
                let length = string_length(rest, first);
                (Token::Text(rest.get(1..length - 1).unwrap_or_default()), length)
            }
            '_' | 'a'..='z' | 'A'..='Z' => {
                let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                (Token::Word(&rest[..length]), length)
            }
            mark => (Token::Mark(mark), mark.len_utf8()),
        };
        self.at = place + length;
        Some((token, place))
    }
}

/// The length of a string with both its quotes.
fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shapes_is_lawful() {
        for text in [
            "",
            "text with { and } and %} and }} and #}",
            "{# a comment with {{ safe }} and {% set x = 1 %} #}",
            "{{ x }}{{- x.y[\"z\"] -}}{{ \"a | safe ~ %} }} {% raw %}\" }}{{ 'it\\'s | safe' }}{{ `~` }}",
            "{% if (x and not (y)) or (z in [1, 2]) %}{% elif x is divisible_by(2) and y is not containing(3) %}{% else %}{% endif %}",
            "{%- for key, value in map -%}{{ value | yaml(indent=2) }}{% else %}{% break %}{% endfor %}",
            "{% include \"a/b.tera\" %}{{ list | length }}{{ -1 }}{{ 1.5 }}",
            "{{ (x | first).y }}",
        ] {
            assert_eq!(check("a", text).map(|_| ()), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_computes_or_hides_is_refused_at_its_place() {
        for (text, column, part) in [
            ("{% set x = 1 %}", 4, "no `set`"),
            ("ü{%- raw %}{{ x }}{% endraw -%}", 6, "no `raw`"),
            ("{% filter upper %}", 4, "no `filter`"),
            ("{% extends \"a\" %}", 4, "no `extends`"),
            ("{% component a() %}", 4, "no `component`"),
            ("{{ x | safe }}", 8, "no filter `safe`"),
            ("{{ x|safe }}", 6, "no filter `safe`"),
            ("{{ x | replace(from=\"a\", to=\"b\") }}", 8, "no filter `replace`"),
            ("{% if x | default(value=1) %}", 11, "no filter `default`"),
            ("{{ range(end=3) }}", 4, "no functions"),
            ("{{ throw (message=\"x\") }}", 4, "no functions"),
            ("{{ [x for x in y] }}", 7, "no comprehensions"),
            ("{% for a in [x for x in y] %}", 16, "no comprehensions"),
            ("{{ a ~ b }}", 6, "do not join"),
            ("{{ [...a] }}", 6, "do not spread"),
            ("{{ __tera_context }}", 4, "no fixed order"),
        ] {
            let problems = check("a", text).expect_err("a refused template");
            assert!(problems.iter().any(|problem| problem.contains(&format!("a:1:{column}\n"))), "{problems:?}");
            assert!(problems.iter().any(|problem| problem.contains(part)), "{problems:?}");
        }
    }

    #[test]
    fn steps_multiply_through_loops_and_includes() {
        let shape = |text| check("a", text).expect("a lawful template");
        let shapes = BTreeMap::from([
            ("flat".to_owned(), shape("x")),
            ("once".to_owned(), shape("{% for a in x %}{% endfor %}{% for a in x %}{% endfor %}")),
            ("twice".to_owned(), shape("{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}")),
            ("through".to_owned(), shape("{% for a in x %}{% include \"once\" %}{% endfor %}")),
        ]);
        for (path, steps) in [("flat", 1), ("once", 21), ("twice", 111), ("through", 221)] {
            assert_eq!(most_steps(&shapes, path, 10), steps, "{path}");
        }
    }
}
