//! Lists, page by page, as Twilio's 2010 API cuts them.

use serde_json::{Value, json};

use super::api::Params;

/// What a page holds when nothing is said, and at most.
const USUAL: usize = 50;
const MOST: usize = 1_000;

/// One page of `rows`, which is called `name`. The rows are newest first, each with the order it was made in.
/// The next page's token is the order of this one's last row, and it holds when that row is gone by then.
pub(super) fn page(path: &str, params: &Params, name: &str, rows: &[(u64, Value)]) -> Value {
    let size = params.get("PageSize").and_then(|size| size.parse().ok()).unwrap_or(USUAL).clamp(1, MOST);
    let number: usize = params.get("Page").and_then(|page| page.parse().ok()).unwrap_or(0);
    let after: Option<u64> = params.get("PageToken").and_then(|token| token.strip_prefix("PA")?.parse().ok());
    let start = after.map_or_else(
        || number.saturating_mul(size),
        |after| rows.iter().position(|(order, _)| *order < after).unwrap_or(rows.len()),
    );
    let (orders, shown): (Vec<u64>, Vec<&Value>) =
        rows.iter().skip(start).take(size).map(|(order, row)| (*order, row)).unzip();
    let has_more = rows.len() > start.saturating_add(size);
    let last = orders.last().copied().filter(|_| has_more);
    let next = last.map(|order| uri(path, params, size, number.saturating_add(1), Some(order)));
    let previous = number.checked_sub(1).map(|before| uri(path, params, size, before, None));
    let first_row = number.saturating_mul(size);
    json!({
        name: shown,
        "first_page_uri": uri(path, params, size, 0, None),
        "next_page_uri": next,
        "previous_page_uri": previous,
        "page": number,
        "page_size": size,
        "start": first_row,
        "end": first_row.saturating_add(shown.len().saturating_sub(1)),
        "uri": uri(path, params, size, number, after),
    })
}

/// The same page as the newer APIs give it (`numbers.twilio.com`): the rows as `results`, the rest as `meta`, with whole URLs.
pub(super) fn page_v2(host: &str, path: &str, params: &Params, rows: &[(u64, Value)]) -> Value {
    let page = page(path, params, "results", rows);
    let url = |name: &str| page[name].as_str().map(|uri| format!("{host}{uri}"));
    json!({
        "results": page["results"],
        "meta": {
            "key": "results",
            "page": page["page"],
            "page_size": page["page_size"],
            "first_page_url": url("first_page_uri"),
            "previous_page_url": url("previous_page_uri"),
            "next_page_url": url("next_page_uri"),
            "url": url("uri"),
        },
    })
}

fn uri(path: &str, params: &Params, size: usize, number: usize, after: Option<u64>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let is_ours = |name: &str| matches!(name, "PageSize" | "Page" | "PageToken");
    for (name, value) in params.iter().filter(|(name, _)| !is_ours(name)) {
        query.append_pair(name, value);
    }
    query.append_pair("PageSize", &size.to_string()).append_pair("Page", &number.to_string());
    if let Some(order) = after {
        query.append_pair("PageToken", &format!("PA{order}"));
    }
    format!("{path}?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of these orders.
    fn rows(orders: &[u64]) -> Vec<(u64, Value)> {
        orders.iter().map(|order| (*order, json!({"sid": format!("PN{order}")}))).collect()
    }

    /// The parameters that ask for the page after `page`, if there is one.
    fn next(page: &Value) -> Option<Params> {
        let (_, query) = page["next_page_uri"].as_str()?.split_once('?')?;
        Some(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    #[test]
    fn the_pages_together_are_the_list() {
        let rows = rows(&[9, 7, 4, 3, 1]);
        let mut params = Some(Params::from([("PageSize".to_owned(), "2".to_owned())]));
        let mut seen = Vec::new();
        while let Some(asked) = params {
            let page = page("/list.json", &asked, "rows", &rows);
            seen.extend(page["rows"].as_array().unwrap().iter().cloned());
            params = next(&page);
        }
        let all: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
        assert_eq!(seen, all);
    }

    #[test]
    fn a_page_follows_a_row_that_is_gone() {
        let params = Params::from([("PageSize".to_owned(), "2".to_owned())]);
        let first = page("/list.json", &params, "rows", &rows(&[9, 7, 4, 3, 1]));
        let params = next(&first).unwrap();
        let second = page("/list.json", &params, "rows", &rows(&[9, 4, 3, 1]));
        assert_eq!(second["rows"], json!([{"sid": "PN4"}, {"sid": "PN3"}]));
        let params = next(&second).unwrap();
        let third = page("/list.json", &params, "rows", &rows(&[1]));
        assert_eq!(third["rows"], json!([{"sid": "PN1"}]));
        assert_eq!(third["next_page_uri"], Value::Null);
    }
}
