//! Programs that judge texts, and the numbers that texts are made from.

use std::{
    env,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    thread,
};

use serde_json::Value;

use crate::support::component;

/// Asks a program of ours about many texts at once: it reads each as a line of hexadecimal digits, and answers it with a
/// line of JSON.
pub(crate) fn ask(program: &str, texts: &[impl AsRef<[u8]> + Sync]) -> Vec<Value> {
    let mut child = Command::new(component(program))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle starts");
    let mut input = child.stdin.take().expect("a pipe");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let verdicts: Vec<Value> = thread::scope(|scope| {
        scope.spawn(move || {
            for text in texts {
                let mut line = String::with_capacity(text.as_ref().len() * 2 + 1);
                for byte in text.as_ref() {
                    write!(line, "{byte:02x}").expect("a string takes everything");
                }
                line.push('\n');
                input.write_all(line.as_bytes()).expect("the oracle reads");
            }
        });
        let lines = output.lines().map(|line| line.expect("the oracle writes text"));
        lines.map(|line| serde_json::from_str(&line).expect("JSON")).collect()
    });
    assert!(child.wait().expect("the oracle ends").success());
    assert_eq!(verdicts.len(), texts.len(), "one answer for each text");
    verdicts
}

/// The number in an environment variable, for who wants more texts or others.
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// A small generator: the same numbers for the same seed, on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Nothing ever comes from zero.
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).expect("small")).expect("small")
    }

    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}
