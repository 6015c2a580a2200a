//! After a commit: Flux is told of it, and followed.

use serde_json::{Value, json};

use crate::{
    cli::{
        Run,
        error::{Failure, causes},
    },
    diff::print::escape::line as line_safe,
    edge::{
        git::{Access, Target, Wanted},
        http::{Deadline, HttpClient},
        kube::flux::FluxReader,
        receiver::notify,
    },
    model::{
        name::Name,
        repository::{Receiver, RepositoryConfig},
        tree::CommitId,
    },
    ops::{
        decide::{Inventories, Request},
        doctor::Publishing,
        load::LoadError,
        rollout::{Following, ObjectState, Rollout, Step, Unfollowed, follow, wanted},
    },
};

/// How far back a later commit may stand behind the one that is followed.
const LATER: usize = 50;

/// By what Flux is told of a commit.
pub(super) struct Announcer {
    client: HttpClient,
    receiver: Receiver,
    token: secrecy::SecretString,
}

/// What became of a commit in the clusters.
pub(super) struct Followed {
    rollout: Rollout,
    unfollowed: Vec<Unfollowed>,
    /// It could not be found out what is to be followed.
    is_lost: bool,
}

impl Run<'_> {
    /// What tells Flux, when the settings want it. To be asked before anything is written: the token may be missing.
    pub(super) fn announcer(&self, settings: &RepositoryConfig, access: &Access) -> Result<Option<Announcer>, Failure> {
        let Some(receiver) = settings.notify.clone() else { return Ok(None) };
        let token = self.secret("BOBBYPIN_WEBHOOK_TOKEN")?.ok_or_else(|| {
            let message = "spec.publish.notify is set in bobbypin.yaml, and BOBBYPIN_WEBHOOK_TOKEN is not: set it to what the Secret of \
                           the Receiver has as `token`, or BOBBYPIN_WEBHOOK_TOKEN_FILE to a file with it";
            Failure::Usage(message.to_owned())
        })?;
        let client = HttpClient::new(access.authorities.as_deref()).map_err(|error| {
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Failure::Usage(format!("Flux cannot be told of commits: {why}"))
        })?;
        Ok(Some(Announcer { client, receiver, token }))
    }

    /// Tells Flux of a commit. Whether it heard; that it did not is no failure, because it looks by itself later.
    pub(super) fn announce(&self, announcer: &Announcer, branch: &str, commit: &CommitId) -> bool {
        let Announcer { client, receiver, token } = announcer;
        let deadline = Deadline::of_seconds(self.global.timeout);
        match notify(client, receiver, token, &format!("{branch}@sha1:{commit}"), deadline) {
            Ok(()) => {
                self.printer.remark("► Flux was told of the commit");
                true
            }
            Err(error) => {
                let causes = causes(&error).join(": ");
                let hint = error.hint().map(|hint| format!("\n  help: {hint}")).unwrap_or_default();
                self.printer.error(&format!("warning: {error}: {}{hint}", line_safe(&causes)));
                false
            }
        }
    }

    /// Follows a commit through Flux for so many seconds. The commit is made already: what goes wrong here is told, and
    /// counts as not arrived.
    pub(super) fn follow(
        &self,
        target: &Target,
        branch: &str,
        request: &Request,
        commit: &CommitId,
        time: u32,
    ) -> Followed {
        self.try_follow(target, branch, request, commit, time).unwrap_or_else(|failure| {
            self.printer.error(&failure.human());
            Followed { rollout: Rollout { clusters: Vec::new() }, unfollowed: Vec::new(), is_lost: true }
        })
    }

    fn try_follow(
        &self,
        target: &Target,
        branch: &str,
        request: &Request,
        commit: &CommitId,
        time: u32,
    ) -> Result<Followed, Failure> {
        let Inventories::Live(live) = &request.inventories else { return Err(no_cluster()) };
        let deadline = Deadline::of_seconds(time);
        let tip = target.read(branch, &Wanted::default())?.tree;
        let place = target.place();
        let publishing = Publishing { remote: Some(&place), branch };
        let (wanted, unfollowed) = wanted(&tip, live, &request.clusters, &publishing, commit)?;
        let is_one = wanted.len() == 1;
        for Unfollowed { cluster, why, is_failure } in &unfollowed {
            let sign = if *is_failure { "✗" } else { "!" };
            self.printer.error(&format!("{sign} {cluster}: not followed: {}", line_safe(why)));
        }
        let mut reader = FluxReader::new(live.limits()).map_err(LoadError::Threads)?;
        let reader = std::cell::RefCell::new(&mut reader);
        let rollout = follow(
            wanted,
            Following {
                read: &mut |asked| {
                    let answers = reader.borrow_mut().read(asked, deadline);
                    answers.into_iter().map(|answer| answer.map_err(|failure| failure.message)).collect()
                },
                pause: &mut || reader.borrow().pause(deadline),
                holds: &mut |found| holds(target, branch, commit, found),
                told: &mut |step| self.tell(step, is_one),
            },
        );
        self.end(&rollout, is_one, time);
        Ok(Followed { rollout, unfollowed, is_lost: false })
    }

    fn tell(&self, step: &Step<'_>, is_one: bool) {
        match step {
            Step::Object { state: ObjectState::Waiting { .. }, .. } => (),
            Step::Object { cluster, id, state } => {
                let line = format!("{}{id}: {}", prefix(cluster, is_one), line_safe(&state.to_string()));
                match state {
                    ObjectState::Failed { .. } | ObjectState::Suspended => {
                        self.printer.error(&format!("{} {line}", sign(state)));
                    }
                    ObjectState::Ready { .. } | ObjectState::Waiting { .. } => {
                        self.printer.remark(&format!("{} {line}", sign(state)));
                    }
                }
            }
            Step::Unread { cluster, why } => {
                self.printer.error(&format!("! {cluster}: cannot be read, trying again: {}", line_safe(why)));
            }
        }
    }

    /// What has not arrived, and why.
    fn end(&self, rollout: &Rollout, is_one: bool, time: u32) {
        for cluster in rollout.clusters.iter().filter(|cluster| !cluster.has_arrived) {
            let name = &cluster.cluster;
            match &cluster.unread {
                Some(why) => self.printer.error(&format!("✗ {name}: could not be read: {}", line_safe(why))),
                None => {
                    for (id, state) in &cluster.objects {
                        if let ObjectState::Waiting { .. } = state {
                            let why = line_safe(&state.to_string());
                            self.printer.error(&format!("✗ {}{id}: not yet: {why}", prefix(name, is_one)));
                        }
                    }
                }
            }
            self.printer.error(&format!(
                "error: the commit has not arrived in {name} within {time} s; it stays where it is\n  help: bobbypin doctor --cluster {name}"
            ));
        }
    }
}

impl Followed {
    /// Whether the commit has arrived wherever it could be followed.
    pub(super) fn has_arrived(&self) -> bool {
        !self.is_lost && self.rollout.has_arrived() && !self.unfollowed.iter().any(|one| one.is_failure)
    }

    /// One line for people; nothing when the commit has not arrived, or nowhere.
    pub(super) fn line(&self, commit: &CommitId) -> Option<String> {
        let clusters: Vec<_> = self.rollout.clusters.iter().map(|cluster| cluster.cluster.as_str()).collect();
        let is_all = self.has_arrived() && !clusters.is_empty();
        is_all.then(|| format!("✔ {} has arrived in {}", commit.short(), clusters.join(", ")))
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let clusters = self.rollout.clusters.iter().map(|cluster| {
            let objects = cluster.objects.iter().map(
                |(id, state)| json!({"object": id.to_string(), "state": state.as_str(), "message": state.to_string()}),
            );
            json!({
                "name": cluster.cluster.as_str(),
                "arrived": cluster.has_arrived,
                "unread": cluster.unread,
                "objects": objects.collect::<Vec<_>>(),
            })
        });
        let unfollowed = self
            .unfollowed
            .iter()
            .map(|one| json!({"name": one.cluster.as_str(), "arrived": null, "unread": one.why, "objects": []}));
        clusters.chain(unfollowed).collect()
    }
}

/// What `--wait` is refused with beside `--inventory`.
pub(super) fn no_cluster() -> Failure {
    Failure::Usage("--inventory contacts no cluster, and --wait follows them: leave out one of the two".to_owned())
}

/// Whether a commit holds another one, which is before it on the branch.
fn holds(target: &Target, branch: &str, commit: &CommitId, found: &CommitId) -> bool {
    let past = target.read(branch, &Wanted::default()).and_then(|tip| tip.history(&[], LATER));
    let Ok(past) = past else { return false };
    let place = |wanted: &CommitId| past.iter().position(|one| one.id == *wanted);
    matches!((place(found), place(commit)), (Some(found), Some(commit)) if found < commit)
}

fn prefix(cluster: &Name, is_one: bool) -> String {
    if is_one { String::new() } else { format!("{cluster}: ") }
}

fn sign(state: &ObjectState) -> &'static str {
    match state {
        ObjectState::Ready { .. } => "►",
        ObjectState::Failed { .. } => "✗",
        ObjectState::Suspended => "!",
        ObjectState::Waiting { .. } => "…",
    }
}
