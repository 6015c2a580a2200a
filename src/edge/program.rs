//! Other programs, and the one place that starts them: `ssh-keygen` and `gpg`, where a crate cannot do what they do.
//!
//! A program gets the environment of this one, because agents and keyrings are found by it, and a point in time at which
//! it is killed.

use std::{
    ffi::OsStr,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    runtime::Builder,
    time::timeout,
};

/// How much a program may say on one of its outputs.
const MAX_BYTES: u64 = 1 << 20;

/// How much of a complaint an error repeats, in characters.
const MAX_SAID: usize = 300;

/// What a program left behind when it had ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it complained about.
    pub stderr: Vec<u8>,
}

/// Why a program was of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It is not installed.
    #[error("the program `{program}` is not installed")]
    Missing {
        /// Its name.
        program: String,
    },
    /// It is there, but did not start, or the pipes to it broke.
    #[error("cannot run `{program}`")]
    Run {
        /// Its name.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It was killed, because it had not ended in time.
    #[error("`{program}` did not end within {} seconds", after.as_secs_f64())]
    Deadline {
        /// Its name.
        program: String,
        /// The time that it had.
        after: Duration,
    },
    /// It was killed, because it did not stop talking.
    #[error("`{program}` wrote more than {MAX_BYTES} bytes")]
    TooMuch {
        /// Its name.
        program: String,
    },
    /// It ended by itself and said that it had failed.
    #[error("`{program}` failed ({status}): {said}")]
    Failed {
        /// Its name.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it complained about, in one line and shortened.
        said: String,
    },
}

impl ProgramError {
    /// What the user can do about it, as a sentence or a command to type.
    pub fn hint(&self) -> Option<String> {
        let package = match self {
            Self::Missing { program } => match program.as_str() {
                "gpg" => "gnupg",
                "ssh" | "ssh-add" | "ssh-agent" | "ssh-keygen" => "openssh-client",
                other => other,
            },
            Self::Run { .. } | Self::Deadline { .. } | Self::TooMuch { .. } | Self::Failed { .. } => return None,
        };
        Some(format!("install the package `{package}` (its name on Debian), or add its folder to PATH"))
    }
}

impl Output {
    /// The output of a program that says that it did its work.
    ///
    /// # Errors
    ///
    /// [`ProgramError::Failed`] for every other.
    pub fn of_success(self, program: &str) -> Result<Self, ProgramError> {
        if self.status.success() {
            return Ok(self);
        }
        Err(ProgramError::Failed { program: program.to_owned(), status: self.status, said: shortened(&self.stderr) })
    }
}

/// Runs a program to its end, gives it something to read and keeps what it writes. Blocks; not to be used from within
/// something asynchronous.
///
/// How it ended is not judged here: see [`Output::of_success`]. A program that does not read all of its input is not an
/// error either.
///
/// # Errors
///
/// Every [`ProgramError`] but [`ProgramError::Failed`].
pub fn run(program: &str, arguments: &[&OsStr], input: &[u8], deadline: Duration) -> Result<Output, ProgramError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ProgramError::Missing { program: program.to_owned() },
        io::ErrorKind::FileTooLarge => ProgramError::TooMuch { program: program.to_owned() },
        _ => ProgramError::Run { program: program.to_owned(), source },
    };
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let mut child = Command::new(program)
            .args(arguments)
            // What is repeated in errors is to be the same everywhere.
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let talked = timeout(deadline, talk(&mut child, input)).await;
        if let Ok(Ok(output)) = talked {
            return Ok(output);
        }
        // Only fails for a program that has ended meanwhile, and then there is nothing left to do.
        drop(child.kill().await);
        match talked {
            Ok(result) => result.map_err(failed),
            Err(_) => Err(ProgramError::Deadline { program: program.to_owned(), after: deadline }),
        }
    })
}

/// Writes and reads at the same time, so that neither side waits for the other, until the program has ended.
async fn talk(child: &mut Child, input: &[u8]) -> io::Result<Output> {
    let mut stdin = child.stdin.take().expect("a pipe was asked for");
    let stdout = child.stdout.take().expect("a pipe was asked for");
    let stderr = child.stderr.take().expect("a pipe was asked for");
    let write = async move {
        match stdin.write_all(input).await {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            // Dropping the pipe is what tells the program that this was all.
            _ => Ok(()),
        }
    };
    let ((), stdout, stderr, status) = tokio::try_join!(write, read(stdout), read(stderr), child.wait())?;
    Ok(Output { status, stdout, stderr })
}

async fn read(pipe: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(MAX_BYTES + 1).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 > MAX_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// A complaint of several lines as one line that is fit to be printed.
fn shortened(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = lines.join("; ").escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'");
    match line.char_indices().nth(MAX_SAID) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "it did not say why".to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn shell(script: &str, input: &[u8], deadline: Duration) -> Result<Output, ProgramError> {
        run("sh", &["-c".as_ref(), script.as_ref()], input, deadline)
    }

    #[test]
    fn a_program_reads_its_input_while_it_writes_its_output() {
        let input = vec![b'x'; 1_000_000];
        let output = shell("cat; echo no >&2; exit 3", &input, LONG).unwrap();
        assert_eq!(
            (output.status.code(), output.stdout == input, output.stderr.as_slice()),
            (Some(3), true, &b"no\n"[..])
        );
        assert_eq!(output.of_success("sh").unwrap_err().to_string(), "`sh` failed (exit status: 3): no");
    }

    #[test]
    fn a_program_need_not_read_its_input() {
        assert_eq!(shell("echo done", &vec![b'x'; 1_000_000], LONG).unwrap().stdout, b"done\n");
    }

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let started = Instant::now();
        let error = shell("exec sleep 1000", b"", Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.to_string(), "`sh` did not end within 0.05 seconds");
        assert!(started.elapsed() < LONG, "{:?}", started.elapsed());
    }

    #[test]
    fn a_program_that_does_not_stop_talking_is_killed() {
        let error = shell("exec cat /dev/zero", b"", LONG).unwrap_err();
        assert_eq!(error.to_string(), "`sh` wrote more than 1048576 bytes");
    }

    #[test]
    fn a_program_that_is_missing_is_named_with_its_package() {
        let missing = |program: &str| ProgramError::Missing { program: program.to_owned() };
        let error = run("no-such-program", &[], b"", LONG).unwrap_err();
        assert_eq!(error.to_string(), missing("no-such-program").to_string());
        let hint = "install the package `openssh-client` (its name on Debian), or add its folder to PATH";
        assert_eq!(missing("ssh-keygen").hint().as_deref(), Some(hint));
    }

    #[test]
    fn a_complaint_becomes_one_short_line() {
        assert_eq!(shortened(b"\n gpg: skipped \"A\": \x1b[1mNo\x00\n\ngpg: failed\n"), {
            "gpg: skipped \"A\": \\u{1b}[1mNo\\0; gpg: failed"
        });
        assert_eq!(shortened(b" \n"), "it did not say why");
        assert_eq!(shortened("ä".repeat(400).as_bytes()), format!("{}…", "ä".repeat(300)));
    }
}
