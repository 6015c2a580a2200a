//! A change set as text. Every function here is pure, and every foreign text in what people read is escaped.

pub(crate) mod escape;
mod human;
mod json;
mod markdown;
mod patch;
mod view;

pub use crate::diff::print::{
    human::{Style, gitea, human},
    json::json,
    markdown::{markdown, markdown_sections},
    patch::patch,
};
