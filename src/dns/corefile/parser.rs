//! The server blocks of a Corefile, as the parser of CoreDNS groups them.
//!
//! Read from `caddyfile/parse.go` of `github.com/coredns/caddy` 1.1.4. That parser works on one list of words, into
//! which the words of an import are spliced; where a line ends is told by the line numbers of two neighbours. This one
//! does the same, step by step, because the corner cases are what agreement is about: a `{` may open a block from the
//! next line, a `}` of a plugin may stand in for the one of its server block at the end of the text, and a braceless
//! server block ends at the first `}`.
//!
//! Names of plugins and arguments are not checked here.

use std::{borrow::Cow, collections::BTreeMap, rc::Rc};

use crate::dns::corefile::{
    lexer::{self, Token},
    problem::{ParseError, Position, Problem},
};

/// Longer texts are refused unread: this is what a ConfigMap can hold in all.
pub const MAX_BYTES: usize = 1 << 20;
/// What CoreDNS allows.
const MAX_SNIPPET_IMPORTS: usize = 10_000;
/// What CoreDNS allows.
const MAX_FILE_IMPORTS: usize = 100_000;
/// Bytes that imports may bring in all. CoreDNS has no such limit and would go on until its memory is full.
const MAX_IMPORTED_BYTES: usize = 4 * MAX_BYTES;
/// Words that imports may bring in all.
const MAX_IMPORTED_TOKENS: usize = 1 << 20;

/// A Corefile that CoreDNS can group into server blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corefile<'a> {
    /// The server blocks, in order.
    pub servers: Vec<Server<'a>>,
    /// Every import that was met, in order of reading.
    pub imports: Vec<Import<'a>>,
    /// The first word that the environment of CoreDNS changes. What stands here holds as far as such words do not turn
    /// into anything with a meaning for the parser.
    pub environment: Option<Token<'a>>,
}

/// One server block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server<'a> {
    /// Zones with ports and schemes, as written: see [`crate::dns::corefile::address`].
    pub keys: Vec<Token<'a>>,
    /// Its opening brace; a lone server block may have none.
    pub open: Option<Token<'a>>,
    /// Its own closing brace. Without one although there is an opening one, the text ends with the brace of a plugin.
    pub close: Option<Token<'a>>,
    /// The plugins, in order.
    pub directives: Vec<Directive<'a>>,
}

/// One line of a server block with the block that belongs to it: a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive<'a> {
    /// Its words, braces included. The first is the name of the plugin, whatever it is: even a brace.
    pub words: Vec<Token<'a>>,
}

/// One line of a plugin's block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'d, 'a> {
    /// How many braces it stands in, from 1.
    pub depth: usize,
    /// Its words, without braces.
    pub words: Vec<&'d Token<'a>>,
}

impl<'a> Directive<'a> {
    /// The name of the plugin.
    pub fn name(&self) -> &str {
        &self.words[0].text
    }

    /// The words behind the name, up to a brace.
    pub fn arguments(&self) -> &[Token<'a>] {
        let words = &self.words[1..];
        &words[..words.iter().position(|word| word.text == "{").unwrap_or(words.len())]
    }

    /// The lines of its block.
    pub fn lines(&self) -> Vec<Line<'_, 'a>> {
        let mut lines: Vec<Line<'_, 'a>> = Vec::new();
        let (mut depth, mut is_new) = (0, true);
        for pair in self.words.windows(2) {
            let word = &pair[1];
            match word.text.as_ref() {
                "{" => (depth, is_new) = (depth + 1, true),
                "}" => (depth, is_new) = (depth - 1, true),
                _ if depth == 0 => {}
                _ => match lines.last_mut() {
                    Some(line) if !is_new && !is_next_line(&pair[0], word) => line.words.push(word),
                    _ => {
                        lines.push(Line { depth, words: vec![word] });
                        is_new = false;
                    }
                },
            }
        }
        lines
    }
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import<'a> {
    /// What is imported: the name of a snippet, a file or a glob, as written.
    pub pattern: Token<'a>,
    /// Index of the server block that it stands in; nothing for one between server blocks.
    pub server: Option<usize>,
    /// What it brought.
    pub outcome: ImportOutcome,
}

/// What an import brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// The words of a snippet.
    Snippet,
    /// The words of this many files; none is a warning of CoreDNS, no error.
    Files(usize),
    /// Nobody knows: read as if it brought nothing.
    Unknown,
}

/// What is known about the files that an import names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files<'a> {
    /// Nothing.
    Unknown,
    /// All of them, in the order of their names: name and content.
    Known(Vec<(&'a str, &'a str)>),
}

/// Groups the words of a Corefile into server blocks.
///
/// `files` tells what stands in the files that a pattern names, which is always the pattern as written.
///
/// # Errors
/// The first place where CoreDNS gives up. Two limits are narrower than its own: [`MAX_BYTES`], and what imports bring
/// in all.
pub fn parse<'a>(corefile: &'a str, files: &dyn Fn(&str) -> Files<'a>) -> Result<Corefile<'a>, ParseError> {
    let start = Position { file: String::new(), line: 1, column: 1 };
    if corefile.len() > MAX_BYTES {
        return Err(ParseError { place: start, problem: Problem::TooLong { bytes: corefile.len() } });
    }
    let mut rest: Vec<_> = lexer::tokens(corefile, "").collect();
    rest.reverse();
    let mut parser = Parser {
        files,
        passed: Vec::with_capacity(rest.len()),
        rest,
        snippets: BTreeMap::new(),
        snippet_imports: 0,
        file_imports: 0,
        imported_bytes: 0,
        imported_tokens: 0,
        corefile: Corefile { servers: Vec::new(), imports: Vec::new(), environment: None },
    };
    while parser.next() {
        let known = parser.corefile.servers.len();
        parser.server()?;
        // CoreDNS reads a server block without keys and forgets it.
        if parser.corefile.servers.get(known).is_some_and(|server| server.keys.is_empty()) {
            parser.corefile.servers.pop();
            let orphans = parser.corefile.imports.iter_mut().rev().take_while(|import| import.server == Some(known));
            orphans.for_each(|import| import.server = None);
        }
    }
    Ok(parser.corefile)
}

/// The list of words with a cursor: the current word is the last one passed.
struct Parser<'a, 'f> {
    files: &'f dyn Fn(&str) -> Files<'a>,
    passed: Vec<Token<'a>>,
    /// The words that come, the next one last.
    rest: Vec<Token<'a>>,
    snippets: BTreeMap<String, Rc<[Token<'a>]>>,
    snippet_imports: usize,
    file_imports: usize,
    imported_bytes: usize,
    imported_tokens: usize,
    corefile: Corefile<'a>,
}

fn at(token: &Token<'_>, problem: Problem) -> ParseError {
    ParseError { place: Position::of(token), problem }
}

/// Whether `word` begins a line, seen from the word before it.
fn is_next_line(before: &Token<'_>, word: &Token<'_>) -> bool {
    before.file != word.file || before.line + before.line_breaks() < word.line
}

impl<'a> Parser<'a, '_> {
    fn next(&mut self) -> bool {
        let Some(token) = self.rest.pop() else { return false };
        if self.corefile.environment.is_none() && token.depends_on_environment() {
            self.corefile.environment = Some(token.clone());
        }
        self.passed.push(token);
        true
    }

    fn back(&mut self) {
        self.rest.extend(self.passed.pop());
    }

    fn current(&self) -> &Token<'a> {
        self.passed.last().expect("a word was passed before anybody asks for it")
    }

    fn text(&self) -> &str {
        &self.current().text
    }

    fn is_new_line(&self) -> bool {
        match self.passed.as_slice() {
            [.., before, word] => is_next_line(before, word),
            _ => true,
        }
    }

    /// Goes on to the next word if it stands on the same line.
    fn next_argument(&mut self) -> bool {
        let (before, Some(word)) = (self.current(), self.rest.last()) else { return false };
        before.file == word.file && before.line + before.line_breaks() == word.line && self.next()
    }

    /// Reads one server block or snippet; the current word is its first.
    fn server(&mut self) -> Result<(), ParseError> {
        let Addresses { keys, has_more } = self.addresses()?;
        if !has_more {
            // Keys and nothing else.
            self.push(keys, None);
            return Ok(());
        }
        if let [key] = keys.as_slice()
            && let Some(name) = key.text.strip_prefix('(').and_then(|name| name.strip_suffix(')'))
        {
            return self.snippet(name);
        }
        let open = (self.text() == "{").then(|| self.current().clone());
        if open.is_none() {
            self.back();
        }
        self.push(keys, open);
        self.directives()
    }

    fn push(&mut self, keys: Vec<Token<'a>>, open: Option<Token<'a>>) {
        self.corefile.servers.push(Server { keys, open, close: None, directives: Vec::new() });
    }

    /// Reads the keys of a server block, up to its `{` or to the first word of a new line.
    fn addresses(&mut self) -> Result<Addresses<'a>, ParseError> {
        let mut keys = Vec::new();
        let mut comma: Option<Token<'a>> = None;
        loop {
            if self.text() == "import" && self.is_new_line() {
                self.import(None)?;
                if !self.next() {
                    // An import that brought nothing was the last thing.
                    return match comma {
                        Some(comma) => Err(at(&comma, Problem::ZoneMissing)),
                        None => Ok(Addresses { keys, has_more: false }),
                    };
                }
                continue;
            }
            if self.text() == "{" {
                return match comma {
                    Some(comma) => Err(at(&comma, Problem::ZoneMissing)),
                    None => Ok(Addresses { keys, has_more: true }),
                };
            }
            if !self.text().is_empty() {
                let mut key = self.current().clone();
                let zone = key.text.strip_suffix(',').map(str::to_owned);
                comma = zone.is_some().then(|| key.clone());
                if let Some(zone) = zone {
                    key.text = Cow::Owned(zone);
                }
                keys.push(key);
            }
            if !self.next() {
                return match comma {
                    Some(comma) => Err(at(&comma, Problem::ZoneMissing)),
                    None => Ok(Addresses { keys, has_more: false }),
                };
            }
            if comma.is_none() && self.is_new_line() {
                return Ok(Addresses { keys, has_more: true });
            }
        }
    }

    fn snippet(&mut self, name: &str) -> Result<(), ParseError> {
        let open = self.current().clone();
        let problem = |make: fn(String) -> Problem| at(&open, make(name.to_owned()));
        if self.snippets.contains_key(name) {
            return Err(problem(|name| Problem::SnippetTwice { name }));
        }
        if open.text != "{" {
            return Err(problem(|name| Problem::SnippetWithoutBlock { name }));
        }
        let mut tokens: Vec<Token<'a>> = Vec::new();
        let mut depth = 1;
        while self.next() {
            match self.text() {
                "}" if depth == 1 => {
                    depth = 0;
                    break;
                }
                "}" => depth -= 1,
                "{" => depth += 1,
                _ => {}
            }
            tokens.push(self.current().clone());
        }
        if depth != 0 {
            return Err(problem(|name| Problem::SnippetNotClosed { name }));
        }
        for (index, pair) in tokens.windows(2).enumerate() {
            // Here CoreDNS takes any other line for a new one.
            let begins_line =
                index == 0 || tokens[index - 1].file != pair[0].file || tokens[index - 1].line != pair[0].line;
            if begins_line && pair[0].text == "import" && pair[1].text == name {
                return Err(at(&pair[0], Problem::SnippetInItself { name: name.to_owned() }));
            }
        }
        self.snippets.insert(name.to_owned(), tokens.into());
        Ok(())
    }

    /// Reads the plugins of the server block that was pushed last, up to its end.
    fn directives(&mut self) -> Result<(), ParseError> {
        let server = self.corefile.servers.len() - 1;
        while self.next() {
            match self.text() {
                "}" => {
                    let close = self.current().clone();
                    let server = &mut self.corefile.servers[server];
                    server.close = server.open.is_some().then_some(close);
                    return Ok(());
                }
                "import" => self.import(Some(server))?,
                _ => {
                    let directive = self.directive(server)?;
                    self.corefile.servers[server].directives.push(directive);
                }
            }
        }
        match &self.corefile.servers[server].open {
            // The brace of a plugin that ends the text is taken for the one of the server block.
            Some(open) if self.passed.last().is_none_or(|last| last.text != "}") => {
                Err(at(open, Problem::ServerNotClosed))
            }
            _ => Ok(()),
        }
    }

    /// Reads one plugin; the current word is its name.
    fn directive(&mut self, server: usize) -> Result<Directive<'a>, ParseError> {
        let mut words = vec![self.current().clone()];
        let mut open = Vec::new();
        while self.next() {
            match self.text() {
                "{" => open.push(words.len()),
                _ if open.is_empty() && self.is_new_line() => {
                    self.back();
                    break;
                }
                "}" if open.pop().is_none() => return Err(at(self.current(), Problem::UnmatchedClose)),
                "import" if self.is_new_line() => {
                    self.import(Some(server))?;
                    continue;
                }
                _ => {}
            }
            words.push(self.current().clone());
        }
        match open.first() {
            Some(&index) => {
                Err(at(&words[index], Problem::DirectiveNotClosed { name: words[0].text.clone().into_owned() }))
            }
            None => Ok(Directive { words }),
        }
    }

    /// Replaces the current `import` and its argument by what they bring; the word before them is current then.
    fn import(&mut self, server: Option<usize>) -> Result<(), ParseError> {
        let import = self.current().clone();
        if !self.next_argument() {
            return Err(at(&import, Problem::ImportArguments));
        }
        let pattern = self.current().clone();
        if pattern.text.is_empty() || self.next_argument() {
            return Err(at(&import, Problem::ImportArguments));
        }
        self.passed.truncate(self.passed.len() - 2);
        let outcome = if let Some(snippet) = self.snippets.get(pattern.text.as_ref()).cloned() {
            self.snippet_imports += 1;
            if self.snippet_imports > MAX_SNIPPET_IMPORTS {
                return Err(at(&import, Problem::ImportsTooMuch));
            }
            self.splice(&import, snippet.iter().cloned())?;
            ImportOutcome::Snippet
        } else {
            self.file_imports += 1;
            if self.file_imports > MAX_FILE_IMPORTS {
                return Err(at(&import, Problem::ImportsTooMuch));
            }
            check_pattern(&pattern)?;
            match (self.files)(&pattern.text) {
                Files::Unknown => ImportOutcome::Unknown,
                Files::Known(files) if files.is_empty() && !pattern.text.contains(['*', '?', '[', ']']) => {
                    let name = pattern.text.clone().into_owned();
                    return Err(at(&pattern, Problem::ImportMissing { pattern: name }));
                }
                Files::Known(files) => {
                    for (_, text) in &files {
                        self.imported_bytes += text.len();
                    }
                    if self.imported_bytes > MAX_IMPORTED_BYTES {
                        return Err(at(&import, Problem::ImportsTooMuch));
                    }
                    let tokens = files.iter().flat_map(|(name, text)| lexer::tokens(text, name)).collect::<Vec<_>>();
                    self.splice(&import, tokens.into_iter())?;
                    ImportOutcome::Files(files.len())
                }
            }
        };
        self.corefile.imports.push(Import { pattern, server, outcome });
        Ok(())
    }

    fn splice(
        &mut self,
        import: &Token<'a>,
        tokens: impl DoubleEndedIterator<Item = Token<'a>> + ExactSizeIterator,
    ) -> Result<(), ParseError> {
        self.imported_tokens += tokens.len();
        if self.imported_tokens > MAX_IMPORTED_TOKENS {
            return Err(at(import, Problem::ImportsTooMuch));
        }
        self.rest.extend(tokens.rev());
        Ok(())
    }
}

struct Addresses<'a> {
    keys: Vec<Token<'a>>,
    /// Whether there is a current word behind them.
    has_more: bool,
}

/// Whether CoreDNS takes a pattern: at most one `*` and one `?`, no class, nothing unfinished.
fn check_pattern(pattern: &Token<'_>) -> Result<(), ParseError> {
    let text = pattern.text.as_ref();
    let is_refused = text.matches('*').count() > 1
        || text.matches('?').count() > 1
        || text.contains('[') && text.contains(']')
        || is_unfinished(text);
    if is_refused { Err(at(pattern, Problem::ImportPattern { pattern: text.to_owned() })) } else { Ok(()) }
}

/// Whether the part of a glob that is always looked at, up to its `*`, ends inside a class or behind a backslash.
fn is_unfinished(glob: &str) -> bool {
    let mut letters = glob.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.next().is_none() => return true,
            '[' => return true,
            '*' => return false,
            _ => {}
        }
    }
    false
}
