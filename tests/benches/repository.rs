//! Reading and writing a repository with a history.
#![expect(clippy::disallowed_types, reason = "`git fast-import` makes the repository")]

use std::{
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use bobbypin::{
    diff::FileChange,
    edge::git::{NewCommit, Repository, Wanted},
    model::{
        name::Name,
        repository::Author,
        tree::{CommitId, RepoPath},
    },
};
use criterion::Criterion;
use jiff::Timestamp;

const COMMITS: usize = 10_000;
/// How many files the repository has.
const FILES: usize = 3_000;
/// How many of them one commit changes.
const CHANGED: usize = 300;

pub(crate) fn benches(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("fleet.git");
    import(&path);
    let repository = Repository::open(&path).expect("a repository");
    let author = Author { name: "bench".to_owned(), email: "bench@localhost.invalid".to_owned() };
    let mut tip = read(&repository);
    let mut round = COMMITS;

    let mut group = criterion.benchmark_group("git, 10000 commits, 3000 files");
    group.bench_function("read the tip", |bencher| bencher.iter(|| read(&repository)));
    group.bench_function("prepare a commit of 300 files", |bencher| {
        let files = changes(&imported, COMMITS);
        bencher.iter(|| repository.prepare(commit(&tip, &files, &author)).expect("a commit").commit);
    });
    group.bench_function("read the tip, prepare and publish a commit of 300 files", |bencher| {
        bencher.iter_batched(
            || {
                round += 1;
                if round == COMMITS + 1 { changes(&imported, round) } else { changes(&|_| round - 1, round) }
            },
            |files| {
                tip = read(&repository);
                let prepared = repository.prepare(commit(&tip, &files, &author)).expect("a commit");
                repository.publish(&prepared).expect("a branch that nobody else moves")
            },
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn read(repository: &Repository) -> CommitId {
    let tree = repository.read_tip("main", &Wanted::default()).expect("a readable branch");
    assert_eq!(tree.entries.len(), FILES);
    tree.base.expect("a branch with commits")
}

fn commit<'a>(base: &'a CommitId, files: &'a [FileChange], author: &'a Author) -> NewCommit<'a> {
    let at = Timestamp::UNIX_EPOCH;
    NewCommit { branch: "main", base: Some(base), files, message: "fleet: many files\n", author, at, signer: None }
}

fn path_of(file: usize) -> String {
    format!("clusters/fleet/manifests/tenants/tenant-{}/shop/file-{}.yaml", file / 6, file % 6)
}

/// The last commit of the import that changed a file.
fn imported(file: usize) -> usize {
    (COMMITS - 1 - file) / FILES * FILES + file
}

/// About the size of a release.
fn text(file: usize, round: usize) -> String {
    format!("# {round} {file}\n{}", "name: a line of a manifest as they are\n".repeat(40))
}

/// The files that one commit changes, from one of the earlier rounds to this one.
fn changes(from: &dyn Fn(usize) -> usize, round: usize) -> Vec<FileChange> {
    let cluster = Name::parse("fleet").expect("a literal that parses");
    let change = |file| {
        let path = RepoPath::parse(&path_of(file)).expect("a plain path");
        let bytes = |round| -> Option<Arc<[u8]>> { Some(Arc::from(text(file, round).into_bytes())) };
        FileChange::plain(path, cluster.clone(), bytes(from(file)), bytes(round))
    };
    (0..CHANGED).map(|file| change(file * FILES / CHANGED)).collect()
}

/// Makes a bare repository whose every commit but the first changes one file.
fn import(path: &Path) {
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(path).args(words);
        command
    };
    std::fs::create_dir(path).expect("a new folder");
    let made = git(&["init", "--quiet", "--bare", "--initial-branch=main"]).status();
    assert!(made.expect("git is installed").success(), "git init");
    let mut import = git(&["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().expect("git is installed");
    let mut stream = BufWriter::new(import.stdin.take().expect("it was asked for"));
    let mut write = |bytes: &[u8]| stream.write_all(bytes).expect("git reads its input");
    for number in 0..COMMITS {
        let time = 1_700_000_000 + number;
        let head =
            format!("commit refs/heads/main\ncommitter bench <bench@localhost.invalid> {time} +0000\ndata 2\nx\n");
        write(head.as_bytes());
        let files = if number == 0 { 0..FILES } else { number % FILES..number % FILES + 1 };
        for file in files {
            let text = text(file, number);
            write(format!("M 100644 inline {}\ndata {}\n{text}\n", path_of(file), text.len()).as_bytes());
        }
    }
    drop(stream);
    assert!(import.wait().expect("git ends").success(), "git fast-import");
}
