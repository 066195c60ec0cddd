//! The browser's end of the live document: one event stream for all a page shows.
//!
//! It keeps the document as JSON, patches it, and hands the result to [`Live`]. It knows nothing
//! of what the document says.

use std::{cell::RefCell, rc::Rc, time::Duration};

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use quorate_domain::moment::Timestamp;
use serde_json::Value;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, EventSource, MessageEvent};

mod probe;

use crate::{
    base::BasePath,
    components::decimal::whole,
    live::{Connection, Live, PageState, Topic, use_live},
    reading,
    session::use_session,
};

/// How often ages are counted on.
const TICK: Duration = Duration::from_millis(200);
/// A stream tells the ages of what it shows every second; one that has been quiet for so long may
/// be open and is not live: its console or the way to it stands still.
const QUIET_MS: u64 = 6_000;
/// How long a broken stream may take to come back before the console counts as unreachable.
const PATIENCE_MS: u64 = 8_000;
/// How long to wait before asking a console again that refused the stream.
const RETRY: Duration = Duration::from_secs(2);

thread_local! {
    /// The page's one follower.
    static FOLLOWING: RefCell<Option<Rc<Follower>>> = const { RefCell::new(None) };
}

/// Something else than the console seems to have answered a request: looks whether a sign-on proxy
/// asks for a sign-in.
pub fn doubt() {
    let following = FOLLOWING.with_borrow(Clone::clone);
    if let Some(follower) = following {
        follower.ask_why();
    }
}

/// Follows the page that is shown; call once, in the layout.
pub fn follow() {
    if use_session().is_none() {
        return;
    }
    let base = use_context::<BasePath>().unwrap_or_default();
    let path = use_location().pathname;
    let follower = Rc::new(Follower {
        live: use_live(),
        base: base.clone(),
        stream: RefCell::new(None),
        clock: RefCell::new(Clock::starting(use_live().now.get_untracked())),
    });
    FOLLOWING.set(Some(Rc::clone(&follower)));
    let topic = memo(move || Topic::of_path(base.strip(&path.get())));
    let ticking = Rc::clone(&follower);
    // The layout lives as long as the page, so the interval does too.
    let _ = set_interval_with_handle(move || ticking.tick(), TICK);
    Effect::new(move |previous: Option<()>| {
        let topic = topic.get();
        if previous.is_some() {
            follower.leave(&topic);
        } else if follower.failed() {
            return follower.open(&Topic::Rail);
        }
        follower.open(&topic);
    });
}

struct Follower {
    live: Live,
    base: BasePath,
    stream: RefCell<Option<Stream>>,
    clock: RefCell<Clock>,
}

/// An open event source with what it needs to stay alive.
struct Stream {
    source: EventSource,
    topic: Topic,
    document: Value,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(Event)>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.source.close();
    }
}

impl Follower {
    /// Whether the page came as one that is not there or not for this person: its stream would be
    /// refused as well.
    fn failed(&self) -> bool {
        let problem = self.live.problem;
        problem.with_untracked(|problem| problem.as_ref().is_some_and(|it| it.status < 500))
    }

    /// Empties what the page left showed and the next one does not.
    fn leave(&self, topic: &Topic) {
        self.nothing_wrong();
        self.live.state.update(|state| {
            let stays = match (topic, &state.cluster) {
                (Topic::Cluster { name }, Some(view)) => view.is_of(name),
                _ => false,
            };
            if !stays {
                state.cluster = None;
                state.events.clear();
                state.changes.clear();
            }
        });
    }

    fn open(self: &Rc<Self>, topic: &Topic) {
        let address = format!("{}?{}", self.base.path("/events"), topic.query());
        let Ok(source) = EventSource::new(&address) else {
            return;
        };
        let heard = Rc::clone(self);
        let message = Closure::new(move |event: MessageEvent| heard.hear(&event));
        for name in ["snapshot", "delta", "signed-out"] {
            let handler = message.as_ref().unchecked_ref();
            let _ = source.add_event_listener_with_callback(name, handler);
        }
        let failed = Rc::clone(self);
        let error = Closure::new(move |_: Event| failed.falter());
        source.set_onerror(Some(error.as_ref().unchecked_ref()));
        if self.live.connection.get_untracked() == Connection::Still {
            self.live.connection.set(Connection::Opening);
        }
        let stream = Stream {
            source,
            topic: topic.clone(),
            document: Value::Null,
            _message: message,
            _error: error,
        };
        *self.stream.borrow_mut() = Some(stream);
    }

    fn hear(&self, event: &MessageEvent) {
        if event.type_() == "signed-out" {
            return self.signed_out();
        }
        let Some(text) = event.data().as_string() else {
            return;
        };
        let Ok(news) = reading::json(&text) else {
            return;
        };
        let state = {
            let mut stream = self.stream.borrow_mut();
            let Some(stream) = stream.as_mut() else {
                return;
            };
            if event.type_() == "snapshot" {
                stream.document = news;
            } else {
                json_patch::merge(&mut stream.document, &news);
            }
            reading::value::<PageState>(&stream.document)
        };
        if let Ok(state) = state {
            self.show(state);
        }
    }

    fn show(&self, state: PageState) {
        self.clock.borrow_mut().received(&state);
        self.live.elapsed_ms.set(0);
        // After a refusal only the rail is followed: that it goes well takes nothing back.
        let only_the_rail = self
            .stream
            .borrow()
            .as_ref()
            .is_some_and(|stream| stream.topic == Topic::Rail);
        if !only_the_rail {
            self.nothing_wrong();
        }
        self.live.state.set(state);
        if self.live.connection.get_untracked() != Connection::Live {
            self.live.connection.set(Connection::Live);
        }
    }

    /// Told only when it is news: whoever shows the problem would build its page anew.
    fn nothing_wrong(&self) {
        if self.live.problem.with_untracked(Option::is_some) {
            self.live.problem.set(None);
        }
    }

    fn signed_out(&self) {
        if let Some(stream) = self.stream.borrow().as_ref() {
            stream.source.close();
        }
        self.live.connection.set(Connection::SignedOut);
    }

    /// The stream broke. The browser tries again by itself unless it was refused.
    fn falter(self: &Rc<Self>) {
        let refused = self
            .stream
            .borrow()
            .as_ref()
            .is_some_and(|stream| stream.source.ready_state() == EventSource::CLOSED);
        if self.live.connection.get_untracked() == Connection::SignedOut {
            return;
        }
        if self.live.connection.get_untracked() != Connection::Unreachable {
            self.live.connection.set(Connection::Reconnecting);
        }
        if refused {
            self.ask_why();
        }
    }

    /// An event source does not tell why it was refused; an ordinary request does.
    fn ask_why(self: &Rc<Self>) {
        let Some(topic) = self
            .stream
            .borrow()
            .as_ref()
            .map(|stream| stream.topic.clone())
        else {
            return;
        };
        let address = format!("{}?{}", self.base.path("/events"), topic.query());
        let follower = Rc::clone(self);
        leptos::task::spawn_local(async move {
            let why = probe::why(&address).await;
            // It came back by itself meanwhile.
            let live = follower.live.connection.get_untracked() == Connection::Live;
            match why {
                probe::Why::Unreachable | probe::Why::Answered if live => {}
                probe::Why::SignedOut => follower.signed_out(),
                probe::Why::Refused(problem) => {
                    let current = follower
                        .stream
                        .borrow()
                        .as_ref()
                        .map(|stream| stream.topic.clone());
                    // The page may have moved on meanwhile.
                    if current.as_ref() == Some(&topic) {
                        follower.live.problem.set(Some(*problem));
                        follower.open(&Topic::Rail);
                    }
                }
                probe::Why::Unreachable => {
                    follower.live.connection.set(Connection::Unreachable);
                    let again = Rc::clone(&follower);
                    set_timeout(move || again.reopen(&topic), RETRY);
                }
                probe::Why::Answered => follower.reopen(&topic),
            }
        });
    }

    /// Opens `topic` anew unless the page has moved on meanwhile.
    fn reopen(self: &Rc<Self>, topic: &Topic) {
        let current = self
            .stream
            .borrow()
            .as_ref()
            .map(|stream| stream.topic.clone());
        if current.as_ref() == Some(topic) {
            self.open(topic);
        }
    }

    fn tick(self: &Rc<Self>) {
        let (waited, now) = {
            let clock = self.clock.borrow();
            (clock.since_received(), clock.now())
        };
        let live = self.live;
        let connection = live.connection.get_untracked();
        let told_of = live.state.with_untracked(|state| !state.fleet.is_empty());
        if connection == Connection::Live && told_of && waited > QUIET_MS {
            live.connection.set(Connection::Reconnecting);
        }
        if connection == Connection::Reconnecting && waited > PATIENCE_MS {
            live.connection.set(Connection::Unreachable);
            // A browser tries for ever where a sign-on proxy leads to another host.
            self.ask_why();
        }
        if connection != Connection::Still {
            live.elapsed_ms.set(waited);
        }
        if now.unix_ms() / 1_000 != live.now.get_untracked().unix_ms() / 1_000 {
            live.now.set(now);
        }
    }
}

/// The console's clock as the browser counts it on, by a clock that never jumps.
struct Clock {
    console: Timestamp,
    /// The browser's milliseconds when `console` was right.
    at: u64,
    received: u64,
}

impl Clock {
    fn starting(console: Timestamp) -> Self {
        let at = browser_ms();
        Self {
            console,
            at,
            received: at,
        }
    }

    fn received(&mut self, state: &PageState) {
        self.received = browser_ms();
        let view = state.cluster.as_ref();
        if let Some((observed, age)) = view.and_then(|view| view.observed_at.zip(view.age_ms)) {
            self.console = observed.plus_ms(age);
            self.at = self.received;
        }
    }

    fn since_received(&self) -> u64 {
        browser_ms().saturating_sub(self.received)
    }

    fn now(&self) -> Timestamp {
        self.console.plus_ms(browser_ms().saturating_sub(self.at))
    }
}

/// Milliseconds since the page was opened.
fn browser_ms() -> u64 {
    let milliseconds = window()
        .performance()
        .map_or(0.0, |performance| performance.now());
    whole(milliseconds)
}
