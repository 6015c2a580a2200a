//! `init`: the files of a new cluster.

use clap::{Args, ValueEnum};

use crate::{
    cli::{Run, error::Failure, exit::Exit, name, tree::Checkout},
    edge::{
        git::target_address,
        gitea::Written,
        http::{Credentials, Deadline, HttpClient},
    },
    model::name::Name,
    ops::init::{self, FluxLoop, InitError, PlatformKind, WebhookRequest},
};

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The cluster's name
    #[arg(value_parser = name)]
    cluster_name: Name,
    /// The platform that it runs
    #[arg(long, value_enum, default_value_t = Kind::Cozystack)]
    platform: Kind,
    /// Also write flux.yaml: what makes Flux follow the folder, and Gitea and Flux tell each other of commits
    #[arg(long)]
    flux: bool,
    /// From where Flux fetches the repository [default: the remote, over HTTPS]
    #[arg(long, value_name = "URL", requires = "flux")]
    flux_url: Option<String>,
    /// The namespace of Flux's objects
    #[arg(long, value_name = "NAME", value_parser = name, default_value = "flux-system", requires = "flux")]
    flux_namespace: Name,
    /// The name of Flux's objects
    #[arg(long, value_name = "NAME", value_parser = name, default_value = "bobbypin", requires = "flux")]
    flux_name: Name,
    /// Where Gitea reaches Flux's Service webhook-receiver: with BOBBYPIN_GITEA_TOKEN and BOBBYPIN_WEBHOOK_TOKEN the
    /// webhook is made too
    #[arg(long, value_name = "URL", requires = "flux")]
    receiver_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Cozystack,
    Generic,
}

pub(super) fn run(run: &Run<'_>, args: &InitArgs) -> Result<Exit, Failure> {
    let checkout = run.checkout()?;
    let kind = match args.platform {
        Kind::Cozystack => PlatformKind::Cozystack,
        Kind::Generic => PlatformKind::Generic,
    };
    let checked_out = checkout.repository.checked_out_branch()?.unwrap_or_else(|| "main".to_owned());
    let has_settings = checkout.tree.file("bobbypin.yaml").is_some();
    let branch = if has_settings { checkout.settings.branch.clone() } else { checked_out };
    let flux = if args.flux { Some(flux_loop(args, &checkout)?) } else { None };
    let files = init::files(&checkout.tree, &args.cluster_name, kind, &branch, flux.as_ref())?;
    init::write(checkout.repository.root(), &files)?;
    for path in files.keys() {
        run.printer.result(&format!("✔ {path}"));
    }
    let name = &args.cluster_name;
    run.printer.remark(&format!("next: fill in the files, then: bobbypin pin update --cluster {name}"));
    run.printer.remark(&format!("then: bobbypin plan --cluster {name}"));
    if let Some(flux) = &flux {
        let written = files.keys().find(|path| path.as_str().ends_with(FluxLoop::FILE)).expect("it was written");
        run.printer.remark(&format!("then: make the Secrets that {written} names, and: kubectl apply -f {written}"));
        webhook(run, args, &checkout, flux, &branch)?;
    }
    Ok(Exit::Done)
}

/// How Flux is to follow the folder, as the flags and the checkout say.
fn flux_loop(args: &InitArgs, checkout: &Checkout) -> Result<FluxLoop, Failure> {
    let source = match &args.flux_url {
        Some(url) => init::source_of(url),
        None => target_address(&checkout.repository, &checkout.settings)?.and_then(|remote| init::source_of(&remote)),
    };
    let source = source.ok_or(InitError::NotGitea)?;
    Ok(FluxLoop { namespace: args.flux_namespace.clone(), name: args.flux_name.clone(), source })
}

/// Makes Gitea tell Flux of pushes, or says how a person does.
fn webhook(run: &Run<'_>, args: &InitArgs, checkout: &Checkout, flux: &FluxLoop, branch: &str) -> Result<(), Failure> {
    let tokens = run.secret("BOBBYPIN_GITEA_TOKEN")?.zip(run.secret("BOBBYPIN_WEBHOOK_TOKEN")?);
    let (Some(receiver), Some((gitea, token))) = (&args.receiver_url, tokens) else {
        let FluxLoop { namespace, name, .. } = flux;
        run.printer.remark(&format!(
            "then: add a webhook of type Gitea to the repository, for pushes: its secret is the token of the Secret \
             {name}-webhook, its address that of the Service webhook-receiver and the path that this prints: \
             kubectl -n {namespace} get receiver {name} -o jsonpath={{.status.webhookPath}}"
        ));
        return Ok(());
    };
    let access = run.access(Some((&checkout.settings, checkout.repository.root())))?;
    let client = HttpClient::new(access.authorities.as_deref())
        .map_err(|error| Failure::Usage(format!("no connection to Gitea can be made: {}", error.problem)))?;
    let request = WebhookRequest {
        source: &flux.source,
        server: checkout.settings.gitea.url.as_deref(),
        receiver,
        flux,
        token: &token,
        branch,
    };
    let deadline = Deadline::of_seconds(run.global.timeout);
    let written = init::webhook(&request, &client, &Credentials::Token(gitea), deadline)?;
    run.printer.remark(match written {
        Written::Created => "✔ Gitea has a webhook that tells Flux of pushes",
        Written::Updated => "✔ the webhook of Gitea that tells Flux of pushes is as it should be again",
        Written::Unchanged => "✔ Gitea has a webhook that tells Flux of pushes already; its secret was not looked at",
    });
    Ok(())
}
