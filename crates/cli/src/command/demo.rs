//! `sameas demo`: the whole way, on sample systems of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use clap::Args as ClapArgs;
use sameas_api::v1::identity_service_client::IdentityServiceClient;
use sameas_api::v1::{ExplainRequest, LookupRequest, Reference};
use sameas_resolve::{Settings, Shrink};
use sameas_server::{Bound, ServeError, Server, ServerConfig};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tonic::Code;
use tonic::transport::Channel;

use super::Outcome;
use crate::args::Shared;
use crate::demo::{self, Sample};
use crate::explanation::Explanation;
use crate::output::{Answer, print_text};
use crate::{graph, job, service};

/// What `demo` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// The folder for the sample systems, their settings and their graph.
    #[arg(long, value_name = "FOLDER", default_value = ".demo")]
    dir: PathBuf,
    /// Ends after the look-ups instead of serving on.
    #[arg(long)]
    once: bool,
}

type Client = IdentityServiceClient<Channel>;

pub(super) fn run(shared: &Shared, args: &DemoArgs) -> Result<Outcome> {
    let runtime = job::runtime(shared)?;
    let sample = systems(&args.dir)?;
    let settings = Settings::load(&sample.settings)?;
    rebuild(shared, &runtime, &settings)?;
    evaluate(&settings, &sample)?;
    let bound = bind(&settings)?;
    let address = bound.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = thread::spawn(move || {
        bound.serve(async {
            // Dropping the other end stops the server too.
            let _ = stopped.await;
        })
    });
    let toured = runtime.block_on(tour(address, &sample));
    if toured.is_ok() {
        print_text(&next_steps(&sample, address))?;
        if !args.once {
            print_text(&format!("\nServing on {address} until Ctrl-C."))?;
            runtime.block_on(service::until_stopped());
        }
    }
    drop(stop);
    server
        .join()
        .map_err(|_| anyhow!("the server's thread died"))??;
    toured.map(|()| Outcome::Done)
}

fn heading(text: &str) -> Result<()> {
    print_text(&format!("\n== {text}\n"))
}

fn systems(folder: &Path) -> Result<Sample> {
    let sample = demo::prepare(folder)?;
    heading(&format!("Four sample systems, in {}", folder.display()))?;
    for (name, count) in &sample.counts {
        print_text(&format!("  {name:<10} {count:>5} records"))?;
    }
    print_text(
        "Each has another format, another schema and its own dirt; data/truth.csv knows better.",
    )?;
    Ok(sample)
}

fn rebuild(shared: &Shared, runtime: &Runtime, settings: &Settings) -> Result<()> {
    heading("Rebuild: records in, unified ids out")?;
    let began = Instant::now();
    let options = job::options(shared, Shrink::Refuse)?;
    let report = runtime.block_on(sameas_resolve::rebuild(settings, &options))?;
    drop(options);
    let seconds = began.elapsed().as_secs_f64();
    print_text(&format!(
        "revision {}: {} records, {} pairs compared, {} links, {} customers, in {seconds:.1} s\n\
         ids: {} kept, {} issued",
        report.revision,
        report.records,
        report.pairs,
        report.links,
        report.clusters,
        report.ids_kept,
        report.ids_issued,
    ))
}

fn evaluate(settings: &Settings, sample: &Sample) -> Result<()> {
    heading("Evaluate: how does that agree with the truth?")?;
    let snapshot = graph::snapshot(settings)?;
    print_text(&sameas_resolve::evaluate(&snapshot, &sample.truth)?.render())
}

/// Takes the port of the settings, or any if somebody has it.
fn bind(settings: &Settings) -> Result<Bound> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let wanted = settings
        .listen_address()
        .filter(|address| address.ip().is_loopback());
    let bind = |listen| {
        let config = ServerConfig {
            listen,
            ..ServerConfig::default()
        };
        Server::bind(config, settings.graph_path())
    };
    match bind(wanted.unwrap_or(any)) {
        Err(ServeError::AddressInUse { .. }) => Ok(bind(any)?),
        bound => Ok(bound?),
    }
}

async fn tour(address: SocketAddr, sample: &Sample) -> Result<()> {
    let mut client = Client::connect(format!("http://{address}"))
        .await
        .context("connect")?;
    let guest: Vec<Reference> = sample
        .guest
        .iter()
        .map(|(s, key)| reference(s, key))
        .collect();
    heading(&format!("Look up over gRPC, at {address}"))?;
    for reference in &guest {
        look_up(&mut client, reference).await?;
    }
    look_up(&mut client, &reference("crm", "C-99999")).await?;
    let of = |source: &str| guest.iter().find(|reference| reference.source == source);
    if let (Some(left), Some(right)) = (of("crm"), of("support")) {
        let names = [left, right].map(|side| format!("{} {}", side.source, side.key));
        heading(&format!(
            "Explain: why are {} one customer?",
            names.join(" and ")
        ))?;
        explain(&mut client, left, right).await?;
    }
    Ok(())
}

async fn look_up(client: &mut Client, wanted: &Reference) -> Result<()> {
    let reference = Some(wanted.clone());
    let request = LookupRequest {
        reference,
        ..LookupRequest::default()
    };
    let answer = match client.lookup(request).await {
        Ok(response) => response.into_inner().unified_id,
        Err(status) if status.code() == Code::NotFound => "not found".to_owned(),
        Err(status) => return Err(status).context("look up"),
    };
    print_text(&format!(
        "  {:<10} {:<10} {answer}",
        wanted.source, wanted.key
    ))
}

async fn explain(client: &mut Client, left: &Reference, right: &Reference) -> Result<()> {
    let request = ExplainRequest {
        left: Some(left.clone()),
        right: Some(right.clone()),
        ..ExplainRequest::default()
    };
    let response = client
        .explain(request)
        .await
        .context("explain")?
        .into_inner();
    print_text(&Explanation::received(left, right, response).text())
}

fn reference(source: &str, key: &str) -> Reference {
    Reference {
        source: source.to_owned(),
        key: key.to_owned(),
    }
}

/// Returns commands to paste, with the binary as it was called.
fn next_steps(sample: &Sample, address: SocketAddr) -> String {
    let binary = std::env::args()
        .next()
        .unwrap_or_else(|| "sameas".to_owned());
    let config = sample.settings.display();
    let truth = sample.truth.display();
    let guest = |index: usize| match sample.guest.get(index) {
        Some((source, key)) => format!("{source} {key}"),
        None => "SOURCE KEY".to_owned(),
    };
    let (one, other) = (guest(0), guest(1));
    format!(
        "\n== Try next\n\n\
         {binary} lookup --config {config} {one}\n\
         {binary} explain --config {config} {one} {other}\n\
         {binary} export --config {config} --output map.csv\n\
         {binary} evaluate --config {config} --truth {truth}\n\
         {binary} report --config {config} --truth {truth} --trace --output report.html\n\
         {binary} plan --config {config}\n\
         {binary} rebuild --config {config}      # a server that runs picks the revision up; ids stay\n\
         {binary} serve --config {config} --listen {address}\n\n\
         The settings in {config} are commented: copy them, name your own files, and rebuild."
    )
}
