//! Parts shared by pages. They show what they are given; where it comes from is the page's matter.

use leptos::prelude::RwSignal;
use quorate_domain::{action::Action, view::ClusterView};

pub mod age;
pub mod change_dialog;
pub mod chip;
pub mod decimal;
pub mod keys_switch;
pub mod layout;
pub mod moment;
pub mod page_head;
pub mod panel;
pub mod rail;
pub mod ring;
pub mod spark;
pub mod states;
pub mod tags;
pub mod theme_switch;
pub mod top_line;

/// A change somebody asks for: the cluster as it was seen when the button was pressed, and the
/// action.
pub type Asked = (ClusterView, Action);

/// The change being decided on. Setting it opens the dialog; `None` closes it. In context on
/// every page.
pub type DialogTarget = RwSignal<Option<Asked>>;
