//! q21, channel ids: the bids whose channel has an id, by its name or in its page.

use dualgauge::prelude::*;

use super::{BIDS, Query, Table, table};

pub const QUERY: Query = Query::of::<WithId>("q21", "the id of each bid's channel", BIDS, graph);

#[record]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    channel: Text,
    url: String,
    #[event_time]
    date_time: EventTime,
}

#[record]
struct WithId {
    auction: u64,
    bidder: u64,
    price: u64,
    channel: Text,
    channel_id: Text,
    #[event_time]
    date_time: EventTime,
}

fn graph(flow: &Flow) {
    flow.source::<Bid>(table(Table::Bids))
        .filter_map(|Bid { auction, bidder, price, channel, url, date_time }| {
            let channel_id = channel_id(&channel, &url)?;
            Some(WithId { auction, bidder, price, channel, channel_id, date_time })
        })
        .sink("answer");
}

fn channel_id(channel: &str, url: &str) -> Option<Text> {
    let hot = ["apple", "google", "facebook", "baidu"];
    if let Some(at) = hot.iter().position(|name| channel.eq_ignore_ascii_case(name)) {
        return Some(Text::from(["0", "1", "2", "3"][at]));
    }
    url.split('&').find_map(|part| part.strip_prefix("channel_id=")).map(Text::from)
}
