//! The only place that prints.

use std::{
    io::{self, ErrorKind, IsTerminal, Write},
    sync::OnceLock,
};

use anstyle::{AnsiColor, Style};

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

    /// Prints what must be seen.
    pub(super) fn error(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        drop(writeln!(stderr, "{}", text.trim_end_matches('\n')));
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
