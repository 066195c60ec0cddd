//! Tokens, passwords and certificates are written anew to their files while the console runs. A
//! cluster's driver is made again when that has happened; what is under way ends with the old one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak},
    time::Duration,
};

use async_trait::async_trait;
use quorate_domain::{cluster::Kind, groups::Fleet, observation::Observation, plan::Step};
use quorate_drivers::{Applied, Connection, Diagnosis, Driver, SnapshotPlace, discovery::Places};
use tokio::sync::watch;
use url::Url;

/// How often the files are read. They are small and local.
const EVERY: Duration = Duration::from_secs(5);

/// Reads how to reach the cluster anew; in words, why it cannot.
type Read = Box<dyn Fn() -> Result<Connection, String> + Send + Sync>;
type Connect = fn(Connection) -> Result<Arc<dyn Driver>, quorate_drivers::ConnectError>;

/// The driver that is in use now.
pub struct Renewed {
    current: Arc<RwLock<Arc<dyn Driver>>>,
    /// As configured.
    seeds: Vec<String>,
    /// Where members are, for the driver that comes after this one: no seed need answer it.
    known: Mutex<Known>,
    pushed: watch::Sender<u64>,
}

#[derive(Default)]
struct Known {
    /// Where members answered last.
    places: Places,
    /// Where they were in an earlier life of the console, if that was asked for.
    recalled: Vec<Url>,
}

impl Known {
    fn urls(&self) -> Vec<Url> {
        let here = self.places.urls();
        if here.is_empty() {
            return self.recalled.clone();
        }
        here
    }
}

impl Renewed {
    /// Follows the files of a connection for as long as somebody holds the driver.
    ///
    /// # Errors
    /// If the connection as it is now cannot be used.
    pub fn follow(
        connection: Connection,
        read: impl Fn() -> Result<Connection, String> + Send + Sync + 'static,
    ) -> Result<Arc<dyn Driver>, quorate_drivers::ConnectError> {
        let read: Read = Box::new(read);
        Self::every(EVERY, connection, read, quorate_drivers::connect)
            .map(|driver| -> Arc<dyn Driver> { driver })
    }

    fn every(
        every: Duration,
        connection: Connection,
        read: Read,
        connect: Connect,
    ) -> Result<Arc<Self>, quorate_drivers::ConnectError> {
        let driver = connect(connection.clone())?;
        let renewed = Arc::new(Self {
            current: Arc::new(RwLock::new(driver)),
            seeds: connection.seeds.clone(),
            known: Mutex::default(),
            pushed: watch::Sender::new(0),
        });
        let weak = Arc::downgrade(&renewed);
        tokio::spawn(keep(weak, every, connection, read, connect));
        Ok(renewed)
    }

    /// Never held across an await.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses `driver` from now on.
    fn replace(&self, driver: Arc<dyn Driver>) {
        driver.recall(&self.known().urls());
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = driver;
    }

    fn current(&self) -> Arc<dyn Driver> {
        newest(&self.current)
    }
}

fn newest(current: &RwLock<Arc<dyn Driver>>) -> Arc<dyn Driver> {
    let current = current.read().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(&current)
}

#[async_trait]
impl Driver for Renewed {
    fn kind(&self) -> Kind {
        self.current().kind()
    }

    async fn observe(&self, deadline: Duration) -> Observation {
        let seen = self.current().observe(deadline).await;
        self.known().places.learn(&seen);
        seen
    }

    async fn apply(&self, step: &Step, place: &SnapshotPlace) -> Applied {
        self.current().apply(step, place).await
    }

    fn seeds(&self) -> Vec<String> {
        self.seeds.clone()
    }

    fn recall(&self, places: &[Url]) {
        self.known().recalled = places.to_vec();
        self.current().recall(places);
    }

    fn pushes(&self) -> Option<watch::Receiver<u64>> {
        self.current().pushes().map(|_| self.pushed.subscribe())
    }

    fn groups(&self) -> Option<Arc<RwLock<Fleet>>> {
        self.current().groups()
    }

    fn group(&self, group: &str) -> Option<Arc<dyn Driver>> {
        OfGroup::new(&self.current, group).map(|driver| -> Arc<dyn Driver> { Arc::new(driver) })
    }

    async fn diagnose(&self) -> Vec<Diagnosis> {
        self.current().diagnose().await
    }
}

/// The driver for one group, made again when the program's own was.
struct OfGroup {
    current: Arc<RwLock<Arc<dyn Driver>>>,
    group: String,
    made: Mutex<Made>,
}

struct Made {
    of: Arc<dyn Driver>,
    driver: Arc<dyn Driver>,
}

impl OfGroup {
    fn new(current: &Arc<RwLock<Arc<dyn Driver>>>, group: &str) -> Option<Self> {
        let of = newest(current);
        let driver = of.group(group)?;
        Some(Self {
            current: Arc::clone(current),
            group: group.to_owned(),
            made: Mutex::new(Made { of, driver }),
        })
    }

    fn driver(&self) -> Arc<dyn Driver> {
        let of = newest(&self.current);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&made.of, &of)
            && let Some(driver) = of.group(&self.group)
        {
            *made = Made { of, driver };
        }
        Arc::clone(&made.driver)
    }
}

#[async_trait]
impl Driver for OfGroup {
    fn kind(&self) -> Kind {
        self.driver().kind()
    }

    async fn observe(&self, deadline: Duration) -> Observation {
        self.driver().observe(deadline).await
    }

    async fn apply(&self, step: &Step, place: &SnapshotPlace) -> Applied {
        self.driver().apply(step, place).await
    }

    fn seeds(&self) -> Vec<String> {
        self.driver().seeds()
    }

    fn pushes(&self) -> Option<watch::Receiver<u64>> {
        self.driver().pushes()
    }

    async fn diagnose(&self) -> Vec<Diagnosis> {
        self.driver().diagnose().await
    }
}

/// Until nobody holds the driver any more.
async fn keep(
    renewed: Weak<Renewed>,
    every: Duration,
    mut known: Connection,
    read: Read,
    connect: Connect,
) {
    let mut unreadable = false;
    let mut useless: Option<Connection> = None;
    loop {
        let Some(driver) = renewed.upgrade().map(|renewed| renewed.current()) else {
            return;
        };
        let mut pushes = driver.pushes();
        drop(driver);
        let end = tokio::time::Instant::now() + every;
        while tokio::time::timeout_at(end, pushed(&mut pushes))
            .await
            .is_ok()
        {
            if let Some(renewed) = renewed.upgrade() {
                renewed
                    .pushed
                    .send_modify(|count| *count = count.wrapping_add(1));
            }
        }
        let now = match read() {
            Ok(now) => now,
            Err(problem) => {
                // Said once: the old credential goes on working until it does not.
                if !std::mem::replace(&mut unreadable, true) {
                    tracing::warn!("{problem}; what was read before stays in use");
                }
                continue;
            }
        };
        unreadable = false;
        if same(&known, &now) {
            useless = None;
            continue;
        }
        match connect(now.clone()) {
            Ok(driver) => {
                tracing::info!(cluster = now.name, "credentials were read anew");
                if let Some(renewed) = renewed.upgrade() {
                    renewed.replace(driver);
                }
                known = now;
                useless = None;
            }
            Err(problem) => {
                // Tried again each time, said once: a key may stand there before its certificate.
                if !useless.as_ref().is_some_and(|tried| same(tried, &now)) {
                    tracing::warn!("{problem}; what was read before stays in use");
                }
                useless = Some(now);
            }
        }
    }
}

/// Returns when the backend pushed something; never, where it does not push.
async fn pushed(pushes: &mut Option<watch::Receiver<u64>>) {
    if let Some(receiver) = pushes {
        if receiver.changed().await.is_ok() {
            return;
        }
        *pushes = None;
    }
    std::future::pending().await
}

fn same(one: &Connection, other: &Connection) -> bool {
    let secrets = |connection: &Connection| {
        let reveal = |secret: &quorate_drivers::Secret| secret.reveal().to_owned();
        (
            connection.token.as_ref().map(reveal),
            connection
                .login
                .as_ref()
                .map(|login| reveal(&login.password)),
            connection.client_pem.as_ref().map(reveal),
            connection.lookups.consul_token.as_ref().map(reveal),
            connection.ca_pem.clone(),
        )
    };
    secrets(one) == secrets(other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use quorate_domain::cluster::Kind;
    use quorate_drivers::{ConnectError, Secret};

    use super::*;

    /// A driver that says with which token it was made, and how many places it was told.
    struct Telling(String, Mutex<usize>);

    #[async_trait]
    impl Driver for Telling {
        fn kind(&self) -> Kind {
            Kind::Agent
        }

        async fn observe(&self, _: Duration) -> Observation {
            std::future::pending().await
        }

        async fn apply(&self, _: &Step, _: &SnapshotPlace) -> Applied {
            Applied::Unknown {
                exchange: quorate_drivers::Exchange::default(),
                text: String::new(),
            }
        }

        fn recall(&self, places: &[Url]) {
            *self.1.lock().unwrap() = places.len();
        }

        fn group(&self, group: &str) -> Option<Arc<dyn Driver>> {
            let group = Self(format!("{} in {group}", self.0), Mutex::default());
            Some(Arc::new(group))
        }

        async fn diagnose(&self) -> Vec<Diagnosis> {
            vec![Diagnosis {
                ok: true,
                code: self.0.clone(),
                text: self.1.lock().unwrap().to_string(),
                hint: None,
            }]
        }
    }

    fn telling(connection: Connection) -> Result<Arc<dyn Driver>, ConnectError> {
        let token = connection.token.unwrap();
        match token.reveal() {
            "unusable" => Err(ConnectError::Seed {
                seed: "x".to_owned(),
            }),
            token => Ok(Arc::new(Telling(token.to_owned(), Mutex::default()))),
        }
    }

    fn connection(token: &str) -> Connection {
        Connection {
            name: "blue".to_owned(),
            kind: Kind::Agent,
            seeds: Vec::new(),
            token: Some(Secret::new(token)),
            login: None,
            ca_pem: None,
            client_pem: None,
            api_address_pattern: None,
            remembered: Vec::new(),
            lookups: quorate_drivers::Lookups::default(),
            status_timeout: Duration::from_secs(1),
            change_timeout: Duration::from_secs(1),
        }
    }

    async fn uses(driver: &dyn Driver, token: &str) {
        let used = async {
            while driver.diagnose().await.first().unwrap().code != token {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), used)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn the_driver_of_a_new_token_is_told_where_members_were() {
        let file = Arc::new(Mutex::new("first"));
        let there = Arc::clone(&file);
        let read: Read = Box::new(move || Ok(connection(*there.lock().unwrap())));
        let every = Duration::from_millis(2);
        let driver = Renewed::every(every, connection("first"), read, telling).unwrap();
        driver.recall(&["http://10.0.0.1:1".parse().unwrap()]);
        *file.lock().unwrap() = "second";
        uses(&*driver, "second").await;
        assert_eq!(driver.diagnose().await[0].text, "1");
    }

    #[tokio::test]
    async fn the_driver_of_a_group_goes_with_the_new_token_too() {
        let file = Arc::new(Mutex::new("first"));
        let there = Arc::clone(&file);
        let read: Read = Box::new(move || Ok(connection(*there.lock().unwrap())));
        let every = Duration::from_millis(2);
        let driver = Renewed::every(every, connection("first"), read, telling).unwrap();
        let group = driver.group("7").unwrap();
        uses(&*group, "first in 7").await;
        *file.lock().unwrap() = "second";
        uses(&*group, "second in 7").await;
    }

    #[tokio::test]
    async fn what_cannot_be_used_yet_is_tried_again() {
        use std::sync::atomic::{AtomicU32, Ordering};
        static TRIES: AtomicU32 = AtomicU32::new(0);
        fn third_time(connection: Connection) -> Result<Arc<dyn Driver>, ConnectError> {
            let token = connection.token.as_ref().unwrap().reveal().to_owned();
            if token == "second" && TRIES.fetch_add(1, Ordering::Relaxed) < 2 {
                return Err(ConnectError::Seed {
                    seed: "x".to_owned(),
                });
            }
            telling(connection)
        }
        let read: Read = Box::new(|| Ok(connection("second")));
        let every = Duration::from_millis(2);
        let driver = Renewed::every(every, connection("first"), read, third_time).unwrap();
        uses(&*driver, "second").await;
        assert_eq!(TRIES.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_token_written_anew_is_used_and_one_that_cannot_be_is_not() {
        let file = Arc::new(Mutex::new(Ok("first".to_owned())));
        let reads = Arc::new(Mutex::new(0));
        let (there, counted) = (Arc::clone(&file), Arc::clone(&reads));
        let read = move || {
            *counted.lock().unwrap() += 1;
            there
                .lock()
                .unwrap()
                .clone()
                .map(|token: String| connection(&token))
        };
        let every = Duration::from_millis(2);
        let driver = Renewed::every(every, connection("first"), Box::new(read), telling).unwrap();
        uses(&*driver, "first").await;
        *file.lock().unwrap() = Ok("second".to_owned());
        uses(&*driver, "second").await;
        for useless in [Ok("unusable".to_owned()), Err("it is gone".to_owned())] {
            *file.lock().unwrap() = useless;
            let before = *reads.lock().unwrap();
            while *reads.lock().unwrap() < before + 3 {
                tokio::time::sleep(every).await;
            }
            uses(&*driver, "second").await;
        }
        *file.lock().unwrap() = Ok("third".to_owned());
        uses(&*driver, "third").await;
    }
}
