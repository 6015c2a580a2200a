//! The only place that prints.

use std::{
    io::{self, ErrorKind, IsTerminal, Write},
    sync::{Arc, OnceLock},
};

use anstyle::{AnsiColor, Style};

use crate::{
    diff::print::escape::line as line_safe, edge::kube::Progress, model::finding::Severity, ops::decide::Unread,
};

/// Where results and remarks go.
#[derive(Debug)]
pub(super) struct Printer {
    color: bool,
    quiet: bool,
    /// Why a result did not arrive.
    lost: OnceLock<io::Error>,
}

impl Printer {
    /// Colour is used on a terminal, unless the user or `NO_COLOR` says no.
    pub(super) fn new(no_color: bool, quiet: bool) -> Self {
        let allowed = !no_color && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        Self { color: allowed && io::stdout().is_terminal(), quiet, lost: OnceLock::new() }
    }

    /// Whether results may have colour.
    pub(super) fn color(&self) -> bool {
        self.color
    }

    /// Prints a result. A reader that has gone away is no failure of ours; see [`Printer::lost`] for all others.
    pub(super) fn result(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut stdout = io::stdout().lock();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        if let Err(error) = write!(stdout, "{text}{end}").and_then(|()| stdout.flush())
            && error.kind() != ErrorKind::BrokenPipe
        {
            // The first reason is the one to tell.
            drop(self.lost.set(error));
        }
    }

    /// Why a result did not arrive, for example because the disk is full that standard output goes to.
    pub(super) fn lost(&self) -> Option<&io::Error> {
        self.lost.get()
    }

    /// Prints a remark for a person, unless it was asked for quiet.
    pub(super) fn remark(&self, text: &str) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// Tells of clusters while they are read: on a terminal one line that changes, elsewhere a line for each.
    pub(super) fn progress(&self) -> Arc<dyn Fn(Progress) + Send + Sync> {
        if self.quiet {
            return Arc::new(|_| ());
        }
        let is_terminal = io::stderr().is_terminal();
        Arc::new(move |step| {
            let mut stderr = io::stderr().lock();
            // Where standard error goes to is no reason to fail.
            drop(stderr.write_all(told(&step, is_terminal).as_bytes()).and_then(|()| stderr.flush()));
        })
    }

    /// Tells what could not be read, with the cause of each.
    pub(super) fn unread(&self, unread: &[Unread]) {
        for Unread { cluster, sources, unknown } in unread {
            let cluster = cluster.as_ref().map_or(String::new(), |name| format!("{name}: "));
            let (what, why) = (sources.join(", "), line_safe(&unknown.message));
            self.error(&format!("unread: {cluster}{what} ({}): {why}", line_safe(&unknown.reason)));
        }
    }

    /// Prints what must be seen.
    pub(super) fn error(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        drop(writeln!(stderr, "{}", text.trim_end_matches('\n')));
    }

    /// The colour and the word of a severity.
    pub(super) fn severity(&self, severity: Severity) -> (AnsiColor, &'static str) {
        match severity {
            Severity::Error => (AnsiColor::Red, "error"),
            Severity::Warning => (AnsiColor::Yellow, "warning"),
            Severity::Info => (AnsiColor::Cyan, "info"),
        }
    }

    /// A word in a colour, when results may have colour.
    pub(super) fn paint(&self, color: AnsiColor, text: &str) -> String {
        if self.color {
            let style = Style::new().bold().fg_color(Some(color.into()));
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// One step: on a terminal in the place of the one before, and gone with the last; elsewhere in a line of its own.
fn told(step: &Progress, is_terminal: bool) -> String {
    let Progress { cluster, done, total, failure } = step;
    let clear = if is_terminal { "\r\x1b[K" } else { "" };
    match failure {
        Some(why) => format!("{clear}[{done}/{total}] {cluster}: could not be read: {}\n", line_safe(why)),
        None if is_terminal && done == total => clear.to_owned(),
        None if is_terminal => format!("{clear}[{done}/{total}] {cluster}"),
        None => format!("[{done}/{total}] {cluster}: read\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_one_line_that_changes_and_a_log_every_cluster() {
        let step = |done, failure: Option<&str>| Progress {
            cluster: "edge tenant-acme/shop".to_owned(),
            done,
            total: 3,
            failure: failure.map(str::to_owned),
        };
        let steps = [step(1, None), step(2, Some("no \u{1b}[31manswer")), step(3, None)];
        let all = |is_terminal| steps.iter().map(|step| told(step, is_terminal)).collect::<String>();
        assert_eq!(
            all(true),
            "\r\u{1b}[K[1/3] edge tenant-acme/shop\r\u{1b}[K[2/3] edge tenant-acme/shop: could not be read: no \\u{1b}[31manswer\n\r\u{1b}[K"
        );
        assert_eq!(
            all(false),
            "[1/3] edge tenant-acme/shop: read\n[2/3] edge tenant-acme/shop: could not be read: no \\u{1b}[31manswer\n\
             [3/3] edge tenant-acme/shop: read\n"
        );
    }
}
