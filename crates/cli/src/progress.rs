//! Shows what a job is doing: a bar on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use sameas_resolve::{Progress, Silent};

use crate::args::Shared;
use crate::output;

/// How often a plain line says how far a stage is.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// How often a bar moves when nothing is reported.
const TICK_INTERVAL: Duration = Duration::from_millis(200);

/// Returns the progress that suits stderr.
pub(crate) fn suited(shared: &Shared) -> Arc<dyn Progress> {
    if shared.quiet {
        Arc::new(Silent)
    } else if io::stderr().is_terminal() {
        Arc::new(Bar::default())
    } else {
        Arc::new(Lines::default())
    }
}

/// One bar at a time, with rate and time left; ended stages leave a line.
#[derive(Default)]
struct Bar {
    current: Mutex<Option<ProgressBar>>,
}

impl Bar {
    fn current(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        // A bar is whole whatever a thread that held it did.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clears the bar of the stage that ends and leaves its line.
    fn end(&self) {
        if let Some(bar) = self.current().take() {
            bar.finish_and_clear();
            output::note(&summary(&bar));
        }
    }
}

impl Progress for Bar {
    fn stage(&self, name: &'static str, total: Option<u64>) {
        self.end();
        let template = match total {
            Some(_) => {
                "{msg:<12} [{bar:30}] {percent:>3} %  {human_pos}/{human_len}  {per_sec}  {eta} left"
            }
            None => "{msg:<12} {spinner} {human_pos}  {elapsed}",
        };
        let style = ProgressStyle::with_template(template).expect("the template is a constant");
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(name);
        bar.enable_steady_tick(TICK_INTERVAL);
        *self.current() = Some(bar);
    }

    fn advance(&self, count: u64) {
        if let Some(bar) = self.current().as_ref() {
            bar.inc(count);
        }
    }

    fn note(&self, text: &str) {
        match self.current().as_ref() {
            Some(bar) => bar.suspend(|| output::note(text)),
            None => output::note(text),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.end();
    }
}

fn summary(bar: &ProgressBar) -> String {
    stage_line(&bar.message(), bar.position(), bar.elapsed())
}

/// A line when a stage begins and ends, and now and then between.
#[derive(Default)]
struct Lines {
    current: Mutex<Option<Stage>>,
}

struct Stage {
    name: &'static str,
    total: Option<u64>,
    done: u64,
    began: Instant,
    said: Instant,
}

impl Lines {
    fn current(&self) -> MutexGuard<'_, Option<Stage>> {
        // A stage is whole whatever a thread that held it did.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Lines {
    fn stage(&self, name: &'static str, total: Option<u64>) {
        let now = Instant::now();
        let next = Stage {
            name,
            total,
            done: 0,
            began: now,
            said: now,
        };
        if let Some(before) = self.current().replace(next) {
            output::note(&stage_line(
                before.name,
                before.done,
                before.began.elapsed(),
            ));
        }
    }

    fn advance(&self, count: u64) {
        if let Some(stage) = self.current().as_mut() {
            stage.done += count;
            if stage.said.elapsed() >= LINE_INTERVAL {
                stage.said = Instant::now();
                output::note(&stage.line());
            }
        }
    }

    fn note(&self, text: &str) {
        output::note(text);
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if let Some(last) = self.current().take() {
            output::note(&stage_line(last.name, last.done, last.began.elapsed()));
        }
    }
}

impl Stage {
    fn line(&self) -> String {
        let (elapsed, done) = (self.began.elapsed(), self.done);
        let rate = done as f64 / elapsed.as_secs_f64();
        match self.total {
            Some(total) if done > 0 && total >= done => {
                let left = Duration::from_secs_f64((total - done) as f64 / rate);
                let percent = 100 * done / total;
                let (rate, left) = (HumanCount(rate as u64), HumanDuration(left));
                format!("{:<12} {percent:>3} %, {rate}/s, {left} left", self.name)
            }
            _ => format!(
                "{:<12} {}, {}/s",
                self.name,
                HumanCount(done),
                HumanCount(rate as u64)
            ),
        }
    }
}

/// The line that an ended stage leaves.
fn stage_line(name: &str, done: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    if done == 0 {
        return format!("{name:<12} {seconds:>8.2} s");
    }
    let rate = HumanCount((done as f64 / seconds.max(1e-9)) as u64);
    format!(
        "{name:<12} {seconds:>8.2} s  {}  {rate}/s",
        HumanCount(done)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_stage_leaves_its_time_and_rate() {
        let line = stage_line("weigh", 3_000_000, Duration::from_millis(1_500));
        assert_eq!(line, "weigh            1.50 s  3,000,000  2,000,000/s");
        assert_eq!(
            stage_line("publish", 0, Duration::from_secs(2)),
            "publish          2.00 s"
        );
    }

    #[test]
    fn a_running_stage_says_how_far_it_is() {
        let began = Instant::now()
            .checked_sub(Duration::from_secs(10))
            .expect("the system is up");
        let stage = Stage {
            name: "ingest",
            total: Some(100),
            done: 50,
            began,
            said: began,
        };
        let line = stage.line();
        assert!(
            line.starts_with("ingest        50 %, ") && line.ends_with(" left"),
            "{line}"
        );
    }
}
