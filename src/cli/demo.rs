//! `demo`: the whole way on a built-in example. Every step runs what the command runs that it shows.

use std::{fmt::Write as _, path::PathBuf, sync::Arc};

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use crate::{
    cli::{Run, error::Failure, exit::Exit, plan},
    config::{
        inventory::{inventory_text, parse_inventory},
        problem::Source,
    },
    diff::{
        FileChange,
        print::{self, Style},
    },
    edge::{
        files,
        git::{NewCommit, PublishError, Repository, Target, Wanted},
        signals::Interruptions,
    },
    model::{
        inventory::{ClusterInventory, IngressObject, Inventory},
        name::Name,
        observed::{Observed, Unknown},
        repository::Author,
        tree::RepoPath,
    },
    ops::{
        decide::{Decided, Inventories, Request, decide},
        load::InventoryFile,
        reconcile::{End, Local, Mode, Order, Outcome, ReconcileError, reconcile},
        selection::Selection,
    },
};

/// The settings that a person committed before the story begins, by path.
const SETTINGS: &[(&str, &str)] = &[
    ("clusters/edge/apps/erp.yaml", include_str!("../../clusters/edge/apps/erp.yaml")),
    ("clusters/edge/apps/kustomization.yaml", include_str!("../../clusters/edge/apps/kustomization.yaml")),
    ("clusters/edge/cluster.yaml", include_str!("../../clusters/edge/cluster.yaml")),
    ("clusters/edge/kustomization.yaml", include_str!("../../clusters/edge/kustomization.yaml")),
    ("clusters/edge/pins.yaml", include_str!("../../clusters/edge/pins.yaml")),
    ("clusters/edge/platform.yaml", include_str!("../../clusters/edge/platform.yaml")),
];

/// What the cluster held when the story begins.
const INVENTORY: &str = include_str!("../../examples/inventory/edge.yaml");

const BRANCH: &str = "main";

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Where to put the repository and the inventories [default: a new temporary folder]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(run: &Run<'_>, args: &DemoArgs) -> Result<Exit, Failure> {
    let folder = match &args.folder {
        Some(folder) => run.here.join(folder),
        None => files::temporary_folder("bobbypin-demo-")?,
    };
    let bare = folder.join("platform.git");
    files::create_folder(&bare)?;
    let repository = Target::Folder(Repository::create_bare(&bare, BRANCH)?);
    let mut story =
        Story { run, folder, repository, inventory: inventory(run.now)?, interruptions: run.interruptions()?, step: 0 };
    story.tell()?;
    run.printer.result(&format!(
        "\nThe bare repository is {}; look at it with\n  git -C {} log --stat",
        bare.display(),
        bare.display()
    ));
    Ok(Exit::Done)
}

/// The inventory that the program carries.
fn inventory(now: Timestamp) -> Result<Inventory, Failure> {
    let source = Source { path: "inventory.yaml".to_owned(), bytes: Arc::from(INVENTORY.as_bytes()) };
    let mut inventories =
        parse_inventory(&source, now).map_err(|problems| Failure::Demo(format!("the example: {problems:?}")))?;
    inventories.pop().ok_or_else(|| Failure::Demo("the example has no inventory".to_owned()))
}

struct Story<'a> {
    run: &'a Run<'a>,
    folder: PathBuf,
    repository: Target,
    inventory: Inventory,
    interruptions: Interruptions,
    step: usize,
}

impl Story<'_> {
    fn tell(&mut self) -> Result<(), Failure> {
        self.title("A person commits the settings of a cluster to an empty repository", "git push");
        self.commit_settings()?;

        self.title("What is decided, layer by layer", "bobbypin plan --inventory 1.yaml");
        let file = self.snapshot("1.yaml")?;
        let decided = self.decide(&file)?;
        self.say(&plan::human(&decided.plans, self.run.printer));

        self.title("What a commit would change", "bobbypin diff --inventory 1.yaml");
        self.say(&print::human(&decided.changes, self.style()));

        self.title("The first commit", "bobbypin reconcile --inventory 1.yaml");
        expect(matches!(self.reconcile(&file, false)?.end, End::Committed(_)), "the first run commits")?;

        self.title("The same again: nothing to do, no commit", "bobbypin reconcile --inventory 1.yaml");
        expect(matches!(self.reconcile(&file, false)?.end, End::UpToDate), "the second run has nothing to do")?;

        self.title("A host appears in the tenant: one line changes", "bobbypin reconcile --inventory 2.yaml");
        self.later();
        let ingresses = self.shop_ingresses()?;
        let mut new = ingresses[0].clone();
        new.meta.name = "orders".into();
        new.tls_hosts = vec!["orders.acme.example.org".to_owned()];
        new.rule_hosts.clone_from(&new.tls_hosts);
        ingresses.push(new);
        let file = self.snapshot("2.yaml")?;
        expect(matches!(self.reconcile(&file, true)?.end, End::Committed(_)), "a new host is committed")?;

        self.title(
            "The tenant cannot be read: it is held as it is, the rest is served",
            "bobbypin reconcile --inventory 3.yaml",
        );
        self.later();
        let seen = self.shop_ingresses()?.clone();
        let unknown =
            Unknown { reason: "Timeout".to_owned(), message: "the API server did not answer in 30s".to_owned() };
        self.shop()?.ingresses = Observed::Unknown(unknown);
        let file = self.snapshot("3.yaml")?;
        let outcome = self.reconcile(&file, true)?;
        expect(matches!(outcome.end, End::UpToDate), "an unreadable tenant changes nothing")?;
        self.say(&format!("(exit code {})", plan::exit(&outcome.decided, Exit::Done) as u8));

        self.title("The list comes back almost empty: refused", "bobbypin reconcile --inventory 4.yaml");
        self.later();
        self.shop()?.ingresses = Observed::Present(seen[..1].to_vec());
        let file = self.snapshot("4.yaml")?;
        let outcome = self.reconcile(&file, true)?;
        expect(matches!(outcome.end, End::UpToDate), "a mass removal changes nothing")?;
        let refusal = outcome.decided.plans.iter().find_map(|plan| plan.refusal.as_ref());
        let refusal = refusal.ok_or_else(|| Failure::Demo("the mass removal was not refused".to_owned()))?;
        self.say(&format!(
            "(exit code {}; `--accept-removals {}` would let these {} go)",
            plan::exit(&outcome.decided, Exit::Done) as u8,
            refusal.accept,
            refusal.missing.len()
        ));
        Ok(())
    }

    fn commit_settings(&self) -> Result<(), Failure> {
        let file = |(path, text): &(&str, &str)| {
            let path = RepoPath::parse(path).expect("a literal that parses");
            let cluster = Name::parse("edge").expect("a literal that parses");
            FileChange::plain(path, cluster, None, Some(Arc::from(text.as_bytes())))
        };
        let changes: Vec<_> = SETTINGS.iter().map(file).collect();
        let author = Author { name: "A person".to_owned(), email: "person@localhost.invalid".to_owned() };
        let commit = NewCommit {
            branch: BRANCH,
            base: None,
            files: &changes,
            message: "edge: the settings of the cluster\n",
            author: &author,
            at: self.run.now,
            signer: None,
        };
        let failed = |source: PublishError| ReconcileError::Publish { branch: BRANCH.to_owned(), source };
        let snapshot = self.repository.read(BRANCH, &Wanted::default())?;
        let prepared = snapshot.prepare(commit).map_err(failed)?;
        let published = self.repository.publish(&prepared).map_err(failed)?;
        let names: Vec<_> = SETTINGS.iter().map(|(path, _)| *path).collect();
        self.say(&format!("{} {}", published.commit.short(), names.join("\n        ")));
        Ok(())
    }

    fn decide(&self, file: &InventoryFile) -> Result<Decided, Failure> {
        let tree = self.repository.read(BRANCH, &Wanted::default())?.tree;
        Ok(decide(&tree, &self.request(file))?)
    }

    fn reconcile(&self, file: &InventoryFile, show: bool) -> Result<Outcome, Failure> {
        let request = self.request(file);
        let order = Order {
            target: &self.repository,
            branch: BRANCH,
            request: &request,
            mode: &Mode::Commit,
            local: &Local::default(),
            interruptions: &self.interruptions,
        };
        let outcome = reconcile(&order, None, &mut |decided, _| {
            if show {
                self.say(&print::human(&decided.changes, self.style()));
            }
        })?;
        self.interruptions.give_way();
        let mut text = String::new();
        for layer in outcome.decided.plans.iter().flat_map(|plan| &plan.layers) {
            if let crate::plan::Decision::Hold { reason, .. } = &layer.decision {
                writeln!(text, "held: {}: {} ({})", layer.layer, reason.message, reason.code)
                    .expect("writing to a String does not fail");
            }
        }
        text += &match &outcome.end {
            End::UpToDate => "✔ nothing to do".to_owned(),
            End::WouldCommit(_) => "► dry run".to_owned(),
            End::Committed(published) => format!("✔ committed {}", published.commit.short()),
            End::PullRequest(end) => end.to_string(),
        };
        self.say(&text);
        Ok(outcome)
    }

    fn request(&self, file: &InventoryFile) -> Request {
        let inventories = Inventories::Files(vec![file.clone()]);
        Request {
            clusters: Selection::default(),
            inventories,
            accept_removals: None,
            git_server: None,
            now: self.run.now,
        }
    }

    /// Writes the inventory as it is now, as a file that the reader can use too.
    fn snapshot(&self, name: &str) -> Result<InventoryFile, Failure> {
        let text = inventory_text(&self.inventory);
        let path = self.folder.join(name);
        files::write(&path, text.as_bytes())?;
        let (source, read_at) = files::read(&path, self.run.now)?;
        Ok(InventoryFile { source, read_at })
    }

    fn later(&mut self) {
        let later = self.inventory.observed_at.checked_add(SignedDuration::from_mins(15));
        self.inventory.observed_at = later.expect("a quarter of an hour after a date in this century");
    }

    fn shop(&mut self) -> Result<&mut ClusterInventory, Failure> {
        let cluster = self.inventory.tenant_clusters.values_mut().next();
        cluster.ok_or_else(|| Failure::Demo("the example has no tenant".to_owned()))
    }

    fn shop_ingresses(&mut self) -> Result<&mut Vec<IngressObject>, Failure> {
        match &mut self.shop()?.ingresses {
            Observed::Present(ingresses) => Ok(ingresses),
            Observed::Absent | Observed::Unknown(_) => {
                Err(Failure::Demo("the example's tenant has no Ingresses".to_owned()))
            }
        }
    }

    fn title(&mut self, title: &str, command: &str) {
        self.step += 1;
        let line = self.run.printer.paint(anstyle::AnsiColor::Cyan, &format!("{}. {title}", self.step));
        self.run.printer.result(&format!("\n{line}\n$ {command}"));
    }

    fn say(&self, text: &str) {
        self.run.printer.result(text);
    }

    fn style(&self) -> Style {
        if self.run.printer.color() { Style::Colour } else { Style::Plain }
    }
}

/// The story is a test too: a step that ends otherwise than told is a failure.
fn expect(holds: bool, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Demo(format!("expected that {what}"))) }
}
