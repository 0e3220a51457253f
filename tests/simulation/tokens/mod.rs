//! Many execution environments and one secret: bursts, situations, and days.

mod bursts;
mod cases;
mod days;

use crate::environment::{Environment, Network, Task};
use crate::faults::Faults;
use crate::secrets::{Secrets, Store};
use crate::world::{State, World};
use crate::zoho::Zoho;
use fastrand::Rng;
use mass_change_owner_status::checker::Checker;
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::token::{CachedToken, Sharing, TokenSource};
use mass_change_owner_status::watch::ids::{Job, JobId, ModuleName};
use mass_change_owner_status::zoho::ZohoSettings;
use mass_change_owner_status::zoho::client::Attempts;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

type Change = fn(&mut State);

/// Nothing goes wrong.
const GOOD: Change = |_| {};

/// A service fails all requests in this way.
fn always(service: &'static str, fault: &'static str) -> impl FnOnce(&mut State) {
    move |state| state.faults.add(service, fault, 1.0)
}

/// Runs a scenario from a seed, in a world in which nothing goes wrong but for this change. The rules of the ledger hold.
fn simulate<T>(seed: u64, change: impl FnOnce(&mut State), scenario: impl AsyncFnOnce(World) -> T) -> T {
    crate::in_virtual_time(seed, async {
        let world = World::new(Rng::with_seed(seed), 86_400, false);
        {
            let state = &mut *world.state();
            (state.faults, state.zoho) = (Faults::default(), Zoho::default());
            state.secrets = Secrets::new(&mut state.rng, None);
            state.secrets.is_read_only = false;
            state.zoho.start_job(&mut state.rng, 0);
            state.zoho.jobs[0].ends_at = u64::MAX / 2;
            state.zoho.jobs[0].problem.0 = 0..0;
            change(state);
        }
        let result = scenario(world.clone()).await;
        let violations = &world.state().ledger.violations;
        assert!(violations.is_empty(), "seed {seed}: {}", violations.join("\n"));
        result
    })
}

/// A process of the function.
#[derive(Clone)]
struct Process {
    environment: Arc<Environment>,
    tokens: TokenSource<Store, Network>,
    checker: Arc<Checker<Store, Network>>,
}

impl Process {
    fn start(world: &World) -> Self {
        Self::with(world, 0, Sharing::ReadWrite, ZohoSettings::default())
    }

    /// With a clock that is off by at most so many seconds, and with other settings.
    fn with(world: &World, skew: i64, sharing: Sharing, settings: ZohoSettings) -> Self {
        let environment = world.environment(skew);
        let (tokens, checker) = environment.checker(sharing, settings);
        environment.thaw(Task::default(), None);
        Self { environment, tokens, checker: Arc::new(checker) }
    }

    /// A token within so many seconds.
    async fn token(&self, seconds: u64) -> Result<Arc<CachedToken>, WatchError> {
        self.tokens.token(Deadline::after(Duration::from_secs(seconds))).await
    }

    /// One check, as the function does it.
    async fn check(&self) -> Result<(), ErrorType> {
        self.environment.thaw(Task { is_direct: true, ..Task::default() }, None);
        let (module, id) = {
            let job = &self.environment.world.state().zoho.jobs[0];
            (job.module, job.id.clone())
        };
        let job = Job { module: ModuleName::parse(module).unwrap(), job_id: JobId::parse(&id).unwrap() };
        let deadline = Deadline::after(Duration::from_secs(29));
        let result = self.checker.check(&job, true, deadline, &mut Attempts::default()).await;
        result.map(drop).map_err(|error| error.kind())
    }
}

impl World {
    fn request_count(&self) -> usize {
        self.state().ledger.requested.len()
    }

    fn written(&self) -> usize {
        self.state().secrets.written.len()
    }

    fn operator_puts(&self, client: &str) {
        let now = self.elapsed();
        self.state().secrets.operator_puts(client, None, now);
    }
}

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}
