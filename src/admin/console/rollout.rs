//! Where the portals stand on the way to a second factor for everybody, as pictures: how many
//! have one, may still wait, or are held; and how that came about day by day.

use axum::http::StatusCode;
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::answer::{Answer, Fault};
use super::visit::Visit;
use crate::account::rollout::Rollout;
use crate::clock::UnixMillis;
use crate::policy::Mode;
use crate::site::Site;

/// The width of a bar, in the picture's own measure.
const WIDTH: u64 = 1000;
/// The days in the picture.
const DAYS: u64 = 30;
/// The height of its bars, and how far one is from the next.
const HEIGHT: u64 = 160;
const PITCH: u64 = 30;
const DAY_MILLIS: u64 = 24 * 3600 * 1000;

/// One portal.
#[derive(Serialize)]
pub(super) struct Standing<'a> {
    portal: &'a str,
    mode: &'static str,
    from: Option<String>,
    seen: u64,
    enrolled: u64,
    waiting: u64,
    blocked: u64,
    percent: u64,
    /// The pieces of its bar.
    pieces: Vec<Piece>,
}

/// A piece of a bar.
#[derive(Serialize)]
struct Piece {
    /// What it stands for: a class of the stylesheet.
    kind: &'static str,
    x: u64,
    width: u64,
}

/// A day of the picture.
#[derive(Serialize)]
struct DayBar {
    day: String,
    enrolled: u64,
    seen: u64,
    x: u64,
    y: u64,
    height: u64,
}

/// `GET /desk/rollout?portal=`
pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer, Fault> {
    let wanted = visit.asked("portal").unwrap_or_default();
    let Some(site) = visit.sites().find(|site| site.portal.name == wanted) else {
        let text = "There is no portal of that name, or you do not help its users.";
        return visit.refuse(StatusCode::NOT_FOUND, "No such portal", text);
    };
    let rollout = measured(visit, site).await?;
    let standing = Standing::of(site, &rollout);
    let (bars, most) = days(&rollout, visit.now);
    let width = DAYS * PITCH;
    let page = context! { standing => Serde(standing), bars => Serde(bars), most, width, height => HEIGHT, days => DAYS };
    visit.page(StatusCode::OK, "rollout.html", page)
}

/// Where a portal stands now.
pub(super) async fn standing<'a>(visit: &Visit<'_>, site: &'a Site) -> Result<Standing<'a>, Fault> {
    Ok(Standing::of(site, &measured(visit, site).await?))
}

async fn measured(visit: &Visit<'_>, site: &Site) -> Result<Rollout, Fault> {
    let enforcement = &site.portal.enforcement;
    Ok(visit.parts.accounts.rollout(visit.now, site.tag, enforcement).await?)
}

impl<'a> Standing<'a> {
    fn of(site: &'a Site, rollout: &Rollout) -> Self {
        let enforcement = &site.portal.enforcement;
        let mode = match enforcement.mode {
            Mode::Required => "asked of everybody",
            Mode::Optional => "asked of who has set it up",
            Mode::Report => "asked of nobody, only counted",
            Mode::Off => "switched off",
        };
        let Rollout { seen, enrolled, waiting, blocked, .. } = *rollout;
        Self {
            portal: &site.portal.name,
            mode,
            from: enforcement.from.map(UnixMillis::in_words),
            seen,
            enrolled,
            waiting,
            blocked,
            percent: share(enrolled, seen, 100),
            pieces: pieces(rollout),
        }
    }
}

fn pieces(rollout: &Rollout) -> Vec<Piece> {
    let mut x = 0;
    let parts =
        [("enrolled", rollout.enrolled), ("waiting", rollout.waiting), ("held", rollout.blocked)];
    let pieces = parts.into_iter().map(|(kind, count)| {
        let width = share(count, rollout.seen, WIDTH).min(WIDTH - x);
        x += width;
        Piece { kind, x: x - width, width }
    });
    pieces.filter(|piece| piece.width > 0).collect()
}

/// The last days up to today, and the most that enrolled on one of them.
fn days(rollout: &Rollout, now: UnixMillis) -> (Vec<DayBar>, u64) {
    let today = now.0 / DAY_MILLIS;
    let first = today.saturating_sub(DAYS - 1);
    let on = |day: u64| rollout.days.get(&day).copied().unwrap_or_default();
    let most = (first..=today).map(|day| on(day).enrolled).max().unwrap_or_default();
    let bar = |day: u64| {
        let height = share(on(day).enrolled, most, HEIGHT);
        let words = UnixMillis(day * DAY_MILLIS).in_words();
        DayBar {
            day: words.split(',').next().unwrap_or_default().to_owned(),
            enrolled: on(day).enrolled,
            seen: on(day).seen,
            x: (day - first) * PITCH,
            y: HEIGHT - height,
            height,
        }
    };
    ((first..=today).map(bar).collect(), most)
}

/// `part` of `whole`, in so many pieces; a little is never drawn as nothing.
fn share(part: u64, whole: u64, pieces: u64) -> u64 {
    let exact = u128::from(part) * u128::from(pieces) / u128::from(whole.max(1));
    let share = u64::try_from(exact).unwrap_or(pieces).min(pieces);
    share.max(u64::from(part > 0))
}

#[cfg(test)]
mod tests {
    use super::{DAY_MILLIS, HEIGHT, PITCH, days, pieces, share};
    use crate::account::rollout::{Day, Rollout};
    use crate::clock::UnixMillis;

    #[test]
    fn a_bar_is_never_longer_than_its_place() {
        let rollout =
            Rollout { seen: 3, enrolled: 1, waiting: 1, blocked: 1, ..Rollout::default() };
        let drawn = pieces(&rollout);
        let ends: Vec<_> = drawn.iter().map(|piece| (piece.kind, piece.x, piece.width)).collect();
        assert_eq!(ends, [("enrolled", 0, 333), ("waiting", 333, 333), ("held", 666, 333)]);
        assert!(pieces(&Rollout::default()).is_empty());
        assert_eq!(share(1, 1_000_000, 100), 1, "a little is not nothing");
        assert_eq!(share(0, 0, 100), 0);
        assert_eq!(share(5, 2, 100), 100);
    }

    #[test]
    fn the_days_end_with_today() {
        let today = 20_000;
        let mut rollout = Rollout::default();
        rollout.days.insert(today, Day { seen: 4, enrolled: 2 });
        rollout.days.insert(today - 1, Day { seen: 1, enrolled: 1 });
        rollout.days.insert(today - 99, Day { seen: 9, enrolled: 9 });
        let (bars, most) = days(&rollout, UnixMillis(today * DAY_MILLIS + 5));
        assert_eq!((bars.len(), most), (30, 2));
        let last = bars.last().unwrap();
        assert_eq!((last.x, last.y, last.height, last.enrolled), (29 * PITCH, 0, HEIGHT, 2));
        assert_eq!(last.day, "4 October 2024");
        assert_eq!(bars.iter().rev().nth(1).unwrap().height, HEIGHT / 2);
    }
}
