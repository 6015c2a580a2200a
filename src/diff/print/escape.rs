//! Foreign text made harmless for the place where it is printed.

/// One line of foreign text for people: nothing in it moves the cursor, changes colours, breaks the line or reorders what
/// stands around it. Such characters are shown as `\u{1b}`.
pub(crate) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            c if is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Control characters, and those of Unicode that are not seen but change how what stands around them is seen.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180b}'..='\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A line that is already made of [`line()`]s, for the message of a commit: nothing in it is an order to a CI system, as
/// `[skip ci]` is, or links to an issue. Trailers stand at the beginning of a line; a line like one is indented.
pub(crate) fn commit_line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let is_key =
        |key: &str| !key.starts_with(' ') && key.chars().all(|c| c.is_ascii_alphanumeric() || " -".contains(c));
    if line.split_once(':').is_some_and(|(key, _)| is_key(key)) {
        out.push_str("  ");
    }
    let lower = line.to_lowercase();
    let is_order = lower.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(word, "skip" | "ci"));
    let mut previous = ' ';
    for c in line.chars() {
        match c {
            '[' if is_order => out.push('('),
            ']' if is_order => out.push(')'),
            // `***NO_CI***` is an order too; the mask of a secret is no longer one of stars then.
            '*' if is_order => out.push('·'),
            // `#1` and `!1` are an issue and a pull request, also after `owner/repository`.
            c if c.is_ascii_digit() && matches!(previous, '#' | '!') => out.extend([' ', c]),
            c => out.push(c),
        }
        previous = c;
    }
    out
}

/// Foreign text as inline code of Markdown in a cell of a table.
pub(crate) fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Foreign text as inline code of Markdown, which nothing in it can end.
pub(crate) fn code(text: &str) -> String {
    let text = line(text);
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    // A space is needed next to a backtick and is not shown.
    let space = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// Foreign text between tags of HTML.
pub(crate) fn html(text: &str) -> String {
    let text = line(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A fence for code that nothing in the lines can end.
pub(crate) fn fence<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let longest = lines.into_iter().map(|line| longest_run(line, '`')).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(|run| run.chars().count()).max().unwrap_or(0)
}
