//! A client for the API of Gitea and Forgejo: only what publishing needs.
//!
//! Every function reads before it writes, and writes nothing when nothing would change. What can be repeated without harm
//! is repeated when a server is busy or a connection breaks; what makes something new is sent again only when it certainly
//! did not arrive. Every call ends within its time, whatever the server does, and takes a bounded amount of memory.
//!
//! What a server says is trusted as far as it must be: texts are made safe to print, ids are checked, and a list is whole or
//! an error. The token stands in no text and in no `Debug`.

mod address;
mod branch;
mod comment;
mod commit;
mod content;
mod error;
mod label;
mod merge;
mod pull;
mod request;
mod review;
mod server;
mod status;
mod webhook;

use std::time::Duration;

pub use self::{
    address::Address,
    commit::{CommitError, Committed},
    content::{ApiCommit, EntryKind, TreeEntry},
    error::{GiteaError, GiteaProblem},
    merge::AutoMerge,
    pull::{Edit, NewPullRequest, PullRequest, PullRequestState},
    server::{Software, Version},
    status::{Status, StatusState},
    webhook::Webhook,
};
use crate::edge::http::{Credentials, HttpClient};

/// A repository on a server, through its API.
#[derive(Debug)]
pub struct Gitea<'a> {
    http: &'a HttpClient,
    address: &'a Address,
    credentials: &'a Credentials,
    time: Duration,
}

/// What it took to make something as it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was not there.
    Created,
    /// It was different.
    Updated,
    /// It was so already, and nothing was written.
    Unchanged,
}

impl<'a> Gitea<'a> {
    /// Speaks for whoever the credentials belong to. Nothing is sent yet.
    ///
    /// `time` is what every single call may take, with everything that it reads and repeats.
    pub fn new(http: &'a HttpClient, address: &'a Address, credentials: &'a Credentials, time: Duration) -> Self {
        Self { http, address, credentials, time }
    }
}
