//! Reading a large tip, and publishing into a repository with a long history.
#![expect(clippy::disallowed_types, reason = "the benchmark makes its repository with the real `git`")]

use std::{
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use bobbypin::{
    diff::FileChange,
    edge::git::{Location, NewCommit, Repository, Wanted},
    model::{
        repository::Author,
        tree::{CommitId, RepoPath},
    },
};
use criterion::Criterion;
use jiff::Timestamp;

/// How many commits the repository has.
const COMMITS: usize = 10_000;
/// How many files it has, in folders of ten.
const FILES: usize = 10_000;
/// How many of them are read and changed.
const OURS: usize = 300;

/// Measures reading, preparing (a dry run) and publishing.
pub fn benches(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    make(folder.path());
    let repository = Repository::open(&Location::Folder(folder.path().to_owned())).expect("a repository");
    let wanted = Wanted::default();
    let author = Author { name: "bobbypin".to_owned(), email: "bot@example.org".to_owned() };
    let mut group = criterion.benchmark_group("git");
    group.sample_size(20);

    group.bench_function("read_tip_300_of_10000", |bencher| {
        bencher.iter(|| repository.read_tip("main", &wanted).expect("a readable tip"));
    });

    let tree = repository.read_tip("main", &wanted).expect("a readable tip");
    assert_eq!(tree.entries.len(), OURS);
    let mut files: Vec<FileChange> = tree
        .entries
        .keys()
        .map(|path| FileChange { path: path.clone(), old: tree.file(path.as_str()).cloned(), new: None })
        .collect();
    let mut base = tree.base;
    let mut round = 0;
    let mut next = |files: &mut Vec<FileChange>| {
        round += 1;
        for file in files {
            file.new = Some(Arc::from(content(&file.path, round).as_bytes()));
        }
        Timestamp::from_second(1_800_000_000 + round).expect("a time")
    };

    let mut at = next(&mut files);
    group.bench_function("prepare_300_files", |bencher| {
        bencher.iter(|| repository.prepare(request(&author, base.as_ref(), &files, at)).expect("a free branch").commit);
    });

    group.bench_function("publish_300_files_onto_10000_commits", |bencher| {
        bencher.iter(|| {
            let prepared = repository.prepare(request(&author, base.as_ref(), &files, at)).expect("a free branch");
            let published = repository.publish(&prepared).expect("a free branch");
            base = Some(published.commit);
            for file in &mut files {
                file.old = file.new.take();
            }
            at = next(&mut files);
        });
    });
    group.finish();
}

fn request<'a>(
    author: &'a Author,
    base: Option<&'a CommitId>,
    files: &'a [FileChange],
    at: Timestamp,
) -> NewCommit<'a> {
    NewCommit { branch: "main", base, files, message: "bench", author, at }
}

/// A text of about two kilobytes, as a manifest has.
fn content(path: &RepoPath, round: i64) -> String {
    (0..40).fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "key{line}: value {line} of {path} in round {round}");
        text
    })
}

fn make(folder: &Path) {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
        command.spawn().expect("git is installed")
    };
    git(&["init", "-q", "--bare", "-b", "main"]).wait().expect("git ends");
    let mut script = String::new();
    for number in 0..COMMITS {
        let _ = write!(script, "commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 1\nm\n");
        let files = if number == 0 { 0..FILES } else { OURS..OURS + 1 };
        for file in files {
            let place = if file < OURS { "clusters/edge/manifests" } else { "apps" };
            let text = format!("file {file} in commit {number}");
            let _ = writeln!(script, "M 100644 inline {place}/{}/{file}.yaml\ndata {}\n{text}", file / 10, text.len());
        }
    }
    let mut import = git(&["fast-import", "--quiet"]);
    import.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("git reads its input");
    assert!(import.wait().expect("git ends").success());
}
