//! Repositories that are not as they should be: a clear error, and nothing written.
#![expect(clippy::disallowed_methods, reason = "these tests prepare folders")]

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, symlink},
        process::CommandExt,
    },
    path::Path,
};

use crate::support::cli::{EDGE, PROGRAM, Ran, Sandbox, assert_told, finish};

const HOST: &str = "clusters/edge/manifests/host";

/// Without its result, which is told elsewhere.
fn quiet(ran: Ran) -> Ran {
    Ran { stdout: String::new(), ..ran }
}

/// Runs a line of shell, which must succeed.
fn shell(sandbox: &Sandbox, folder: &Path, line: &str) {
    let ran = finish(sandbox.scrubbed("sh", folder).args(["-euc", line]));
    assert_eq!(ran.code, Some(0), "{line}: {}", ran.told());
}

/// Reconciles, which must change nothing.
fn refused(sandbox: &Sandbox) -> Ran {
    let tip = sandbox.tip();
    let ran = sandbox.reconcile();
    assert_eq!((sandbox.tip(), ran.stdout.contains("committed")), (tip, false), "{}", ran.told());
    sandbox.expect_sound();
    ran
}

#[test]
fn foreign_files_below_manifests_are_kept_and_named() {
    let sandbox = Sandbox::edge();
    sandbox.write(&format!("{HOST}/README.md"), "by a person\n");
    sandbox.write("clusters/edge/manifests/tenants/tenant-old/gone/own.yaml", "kind: ConfigMap\n");
    sandbox.push("foreign files");
    let ran = sandbox.reconcile().expect(0);
    let told: Vec<_> = ran.stdout.lines().skip_while(|line| !line.starts_with("Left alone")).take(2).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    Left alone, because this program did not write it:
      clusters/edge/manifests/host/README.md
    ");
    assert_eq!(sandbox.committed(&format!("{HOST}/README.md")), "by a person\n");
    assert_eq!(sandbox.committed("clusters/edge/manifests/tenants/tenant-old/gone/own.yaml"), "kind: ConfigMap\n");
    sandbox.run(&["render", "--write", "--inventory", EDGE]).expect(0);
    assert_eq!(sandbox.read(&format!("{HOST}/README.md")), "by a person\n");
}

#[test]
fn a_foreign_file_in_the_way_is_7() {
    let sandbox = Sandbox::edge();
    sandbox.write(&format!("{HOST}/overlay.yaml"), "kind: ConfigMap\n");
    sandbox.push("in the way");
    assert_told!(refused(&sandbox).expect(7), @"
    exit 7
    ── stderr
    error: cannot decide what to commit
      because: cannot compare with what is committed
      because: cannot write files where something stands that this program did not write
      `clusters/edge/manifests/host/overlay.yaml`: a file without the mark of this program
      help: move these away: only files of bobbypin belong below manifests/
    ");
    sandbox.run(&["render", "--write", "--inventory", EDGE]).expect(7);
    assert_eq!(sandbox.read(&format!("{HOST}/overlay.yaml")), "kind: ConfigMap\n");
}

#[test]
fn a_folder_in_the_way_is_7() {
    let sandbox = Sandbox::edge();
    sandbox.write(&format!("{HOST}/overlay.yaml/x"), "by a person\n");
    sandbox.push("in the way");
    assert_told!(refused(&sandbox).expect(7), @"
    exit 7
    ── stderr
    error: cannot decide what to commit
      because: cannot compare with what is committed
      because: cannot write files where something stands that this program did not write
      `clusters/edge/manifests/host/overlay.yaml`: a file without the mark of this program stands at `clusters/edge/manifests/host/overlay.yaml/x`
      help: move these away: only files of bobbypin belong below manifests/
    ");
}

#[test]
fn a_link_in_the_tree_is_refused_and_never_followed() {
    for (path, code) in [
        ("bobbypin.yaml", 2),
        ("clusters/edge/cluster.yaml", 2),
        ("clusters/edge/pins.yaml", 2),
        ("clusters/edge/platform.yaml", 2),
        ("clusters/edge/state.yaml", 2),
        ("clusters/edge/templates/host/overlay/package.yaml.tera", 2),
        ("clusters/edge", 2),
        ("clusters", 2),
        ("clusters/edge/manifests", 7),
        ("clusters/edge/manifests/host", 7),
        ("clusters/edge/manifests/kustomization.yaml", 7),
    ] {
        let sandbox = Sandbox::edge();
        let outside = sandbox.root().join("outside");
        let at = sandbox.path(path);
        // What the link points to would be lawful.
        if at.exists() {
            fs::rename(&at, &outside).expect("it can be moved");
        } else {
            fs::create_dir_all(at.parent().expect("it lies in a folder")).expect("a new folder");
            fs::create_dir(&outside).expect("a new folder");
        }
        symlink(&outside, &at).expect("a new link");
        sandbox.push("a link");
        let ran = refused(&sandbox).expect(code);
        assert!(ran.stderr.contains("link"), "{path}: {}", ran.told());
        let before = sandbox.listing();
        sandbox.run(&["render", "--write", "--inventory", EDGE]).expect(code);
        assert_eq!(sandbox.listing(), before, "{path}");
    }
}

#[test]
fn a_path_that_leads_out_of_the_tree_is_refused() {
    let sandbox = Sandbox::edge();
    shell(
        &sandbox,
        &sandbox.remote(),
        "tree=$(git rev-parse main:clusters/edge)
         evil=$(printf '040000 tree %s\\t..\\n' $tree | git mktree)
         clusters=$(printf '040000 tree %s\\tedge\\n' $evil | git mktree)
         root=$(printf '040000 tree %s\\tclusters\\n' $clusters | git mktree)
         git update-ref refs/heads/main $(git commit-tree -m evil $root)",
    );
    let tip = sandbox.tip();
    let ran = sandbox.reconcile().expect(6);
    assert_eq!(sandbox.tip(), tip);
    assert_told!(ran, @"
    exit 6
    ── stderr
    error: the path `clusters/edge/..` is not acceptable: the name leads elsewhere
      help: remove or rename it with an ordinary commit
    ");
}

#[test]
fn a_read_only_repository_is_6() {
    let sandbox = Sandbox::edge();
    // To root nothing is read-only, so root lets nobody run the program.
    let is_root = fs::metadata(sandbox.root()).expect("it is there").uid() == 0;
    let program = sandbox.root().join("bobbypin");
    fs::copy(PROGRAM, &program).expect("a copy");
    let tip = sandbox.tip();
    shell(&sandbox, &sandbox.root(), "chmod -R a-w remote.git");
    let mut command = sandbox.scrubbed(program.to_str().expect("UTF-8"), &sandbox.work());
    if is_root {
        shell(&sandbox, &sandbox.root(), "chown -R 65534:65534 .");
        command.uid(65534).gid(65534);
    }
    let ran = finish(command.args(["reconcile", "--inventory", EDGE]));
    if is_root {
        shell(&sandbox, &sandbox.root(), "chown -R 0:0 .");
    }
    shell(&sandbox, &sandbox.root(), "chmod -R u+w .");
    assert_eq!(sandbox.tip(), tip);
    sandbox.expect_sound();
    assert_told!(quiet(ran), @r#"
    exit 6
    ── stderr
    error: cannot commit to the branch `main`
      because: cannot write the new objects
      because: Permission denied (os error 13) at path "ROOT/remote.git/objects/pack/tmp_bobbypin_RANDOM"
      help: check the permissions and the free space of the repository
    "#);
    sandbox.reconcile().expect(0);
}

/// The program with a limit of half a kilobyte for every file that it writes, as on a disk that is full.
fn without_space(sandbox: &Sandbox, args: &[&str]) -> Ran {
    let line = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    finish(sandbox.scrubbed("sh", &sandbox.work()).args(["-c", line, "sh", PROGRAM]).args(args))
}

#[test]
fn a_full_disk_is_6_and_leaves_the_repository_as_it_was() {
    let sandbox = Sandbox::edge();
    let before = sandbox.listing();
    let ran = without_space(&sandbox, &["reconcile", "--inventory", EDGE]);
    let after = sandbox.listing();
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "nothing is left behind");
    sandbox.expect_sound();
    assert_told!(quiet(ran), @r#"
    exit 6
    ── stderr
    error: cannot commit to the branch `main`
      because: cannot write the new objects
      because: File too large (os error 27) at path "ROOT/remote.git/objects/pack/tmp_bobbypin_RANDOM"
      help: check the permissions and the free space of the repository
    "#);
    sandbox.reconcile().expect(0);
}

#[test]
fn a_full_disk_leaves_no_half_file_in_the_work_tree() {
    let sandbox = Sandbox::edge();
    sandbox.run(&["render", "--out", "../whole", "--inventory", EDGE]).expect(0);
    let ran = without_space(&sandbox, &["render", "--write", "--inventory", EDGE]);
    let written = sandbox.git(&["status", "--porcelain", "-uall"]);
    for line in written.lines() {
        let whole = sandbox.read(&format!("../whole/{}", &line[3..]));
        assert_eq!(sandbox.read(&line[3..]), whole, "{line}");
    }
    assert_told!(quiet(ran), @r#"
    exit 2
    ── stderr
    error: cannot write `ROOT/work/clusters/edge/manifests/host/overlay.yaml`
      because: File too large (os error 27) at path "ROOT/work/clusters/edge/manifests/host/.bobbypin-RANDOM"
    "#);
    sandbox.run(&["render", "--write", "--inventory", EDGE]).expect(0);
}

#[test]
fn init_says_where_it_could_not_write() {
    let sandbox = Sandbox::empty();
    sandbox.write("clusters", "a file in the place of a folder\n");
    assert_told!(sandbox.run(&["init", "prod"]), @"
    exit 2
    ── stderr
    error: cannot write the files
      because: cannot write `ROOT/work/clusters/prod/cluster.schema.json`
      because: Not a directory (os error 20)
    ");
}

#[test]
fn a_corefile_that_only_the_settings_name_is_read_and_gets_its_block() {
    let sandbox = Sandbox::edge();
    let file = "infra/dns/of-edge.yml";
    let wish =
        format!("  host:\n    engine: static\n    static: {{records: corefile-block, file: {file}}}\n  platform:\n");
    sandbox.replace("clusters/edge/cluster.yaml", "  platform:\n", &wish);
    sandbox.push("a block that has no file");
    let missing = format!("there is no file {file} in the repository");
    assert!(sandbox.run(&["plan", "--inventory", EDGE]).stdout.contains(&missing));
    let inventory = fs::read_to_string(sandbox.root().join("edge.yaml")).expect("the inventory of the example");
    let (_, corefile) = inventory.split_once("        Corefile: |\n").expect("the host has one");
    let lines: String =
        corefile.lines().take_while(|line| line.starts_with("          ")).map(|line| format!("{line}\n")).collect();
    let manifest = format!("kind: ConfigMap\nmetadata: {{name: coredns}}\ndata:\n  Corefile: |\n{lines}");
    sandbox.write(file, &manifest);
    assert!(!sandbox.run(&["plan", "--inventory", EDGE]).stdout.contains(&missing));
    sandbox.push("the file");
    sandbox.reconcile().expect(0);
    let committed = sandbox.committed(file);
    assert!(
        committed.contains("# --- BEGIN bobbypin") && committed.starts_with(&manifest[..manifest.len() - 12]),
        "{committed}"
    );
    // What state.yaml remembers is read, too, when the settings name the file no more.
    sandbox.pull();
    sandbox.replace("clusters/edge/cluster.yaml", &wish, "  host: {enabled: false}\n  platform:\n");
    sandbox.push("off");
    sandbox.reconcile().expect(0);
    assert_eq!(sandbox.committed(file), manifest);
}
