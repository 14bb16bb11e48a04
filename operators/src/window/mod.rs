//! Windows: the panes that event time is cut into, and what is computed in each.
//!
//! `stream.key_by(…).window(tumbling(10.seconds())).aggregate("name", count())`: one file per kind of window, and
//! beside them what they share.

mod aligned;
mod calendar;
mod counted;
mod cumulate;
mod ends;
mod few;
mod fire;
mod fired;
mod growing;
mod kind;
mod panes;
mod session;
mod sessions;
mod slices;
mod sliding;
mod top_n;
mod tumbling;
mod windowed;

pub(crate) use aligned::Assign;
pub use calendar::{Calendar, days_in, months_in, weeks_in};
pub use counted::{Counted, counted};
pub use cumulate::{Cumulate, cumulate};
pub(crate) use fire::Firing;
pub(crate) use fired::Fired;
pub use kind::{Session, Sliding, Tumbling, Whole, Window, session, sliding, tumbling, whole};
pub(crate) use sliding::{Grid, Place};
pub use top_n::Ranked;
pub(crate) use tumbling::{Single, SingleWindow};
pub use windowed::{InWindow, Pane, Rows, WindowAll, Windowed};

pub use crate::aggregate::{Places, places};
