//! What is known of systems by the names of their drivers.

use crate::database::name::Quotes;

/// A system behind a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Sqlite,
    DuckDb,
    Postgres,
    Snowflake,
    BigQuery,
    FlightSql,
    /// One that puts backticks around names.
    MySqlLike,
    Other,
}

/// An option without which a driver does not work, and how it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needed {
    pub(crate) option: &'static str,
    pub(crate) what: &'static str,
}

impl System {
    /// Tells the system by the name or path of its driver.
    pub(crate) fn of(driver: &str) -> Self {
        let file = driver.rsplit(['/', '\\']).next().unwrap_or(driver);
        let file = file.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| file.contains(word));
        match () {
            () if has(&["flightsql", "flight_sql"]) => Self::FlightSql,
            () if has(&["sqlite"]) => Self::Sqlite,
            () if has(&["duckdb"]) => Self::DuckDb,
            () if has(&["postgres"]) => Self::Postgres,
            () if has(&["snowflake"]) => Self::Snowflake,
            () if has(&["bigquery"]) => Self::BigQuery,
            () if has(&["mysql", "mariadb", "databricks", "spark", "hive"]) => Self::MySqlLike,
            () => Self::Other,
        }
    }

    /// Returns what the system puts around names.
    pub(crate) fn quotes(self) -> Quotes {
        match self {
            Self::BigQuery | Self::MySqlLike => Quotes::Backtick,
            _ => Quotes::Double,
        }
    }

    /// Returns the function that its driver begins with, if the driver's name does not tell it.
    pub(crate) fn entry_point(self) -> Option<&'static str> {
        (self == Self::DuckDb).then_some("duckdb_adbc_init")
    }

    /// Returns the option that the driver needs and that is not among those given.
    pub(crate) fn lacking(self, given: &[String]) -> Option<Needed> {
        let (option, what) = match self {
            Self::Snowflake => ("adbc.snowflake.sql.account", "the account"),
            Self::BigQuery => ("adbc.bigquery.sql.project_id", "the project"),
            Self::FlightSql => (
                "uri",
                "the server's address, such as grpc+tls://db.example:443",
            ),
            Self::Postgres => ("uri", "the server's address"),
            _ => return None,
        };
        let is_given = given.iter().any(|name| name == option || name == "uri");
        (!is_given).then_some(Needed { option, what })
    }

    /// Returns the option of a statement that bounds a batch, and its value.
    pub(crate) fn batch_bound(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Sqlite => Some(("adbc.sqlite.query.batch_rows", "8192")),
            Self::Postgres => Some(("adbc.postgresql.batch_size_hint_bytes", "1048576")),
            _ => None,
        }
    }

    /// Returns the Python package that has its driver.
    fn package(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some("sqlite"),
            Self::Postgres => Some("postgresql"),
            Self::Snowflake => Some("snowflake"),
            Self::BigQuery => Some("bigquery"),
            Self::FlightSql => Some("flightsql"),
            Self::DuckDb | Self::MySqlLike | Self::Other => None,
        }
    }

    /// Returns the command that installs its driver, if one is known.
    pub(crate) fn install(self) -> Option<String> {
        if self == Self::DuckDb {
            return Some("npm pack @duckdb/node-bindings-linux-x64".to_owned());
        }
        let package = self.package()?;
        Some(format!(
            "pip install adbc-driver-{package} && \
             python3 -c \"import adbc_driver_{package} as d; print(d._driver_path())\""
        ))
    }

    /// Returns how its driver is had.
    pub(crate) fn remedy(self) -> String {
        let Some(package) = self.package() else {
            return match self {
                Self::DuckDb => {
                    "DuckDB's own library is its driver: `npm pack \
                                 @duckdb/node-bindings-linux-x64` brings one for Linux; unpack it \
                                 and set `driver` to the path of libduckdb.so"
                }
                _ => {
                    "install the system's ADBC driver, then set `driver` to the path of its library"
                }
            }
            .to_owned();
        };
        format!(
            "`pip install adbc-driver-{package}`, then set `driver` to what \
             `python3 -c \"import adbc_driver_{package} as d; print(d._driver_path())\"` prints"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_told_by_the_name_or_path_of_its_driver() {
        for (driver, expected) in [
            ("adbc_driver_sqlite", System::Sqlite),
            ("lib/libduckdb.so", System::DuckDb),
            (
                "/opt/mysql/libadbc_driver_flightsql.so.1",
                System::FlightSql,
            ),
            ("snowflake.toml", System::Snowflake),
            ("BigQuery", System::BigQuery),
            ("adbc_driver_databricks", System::MySqlLike),
            ("adbc_driver_trino", System::Other),
        ] {
            assert_eq!(System::of(driver), expected, "{driver}");
        }
    }

    #[test]
    fn an_option_is_lacking_unless_it_or_an_address_is_given() {
        let lacking = |given: &[&str]| {
            let given: Vec<_> = given.iter().map(|&name| name.to_owned()).collect();
            System::Snowflake
                .lacking(&given)
                .map(|needed| needed.option)
        };
        assert_eq!(lacking(&["username"]), Some("adbc.snowflake.sql.account"));
        assert_eq!(lacking(&["adbc.snowflake.sql.account"]), None);
        assert_eq!(lacking(&["uri"]), None);
        assert_eq!(System::Sqlite.lacking(&[]), None);
    }
}
