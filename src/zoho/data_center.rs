//! Zoho's data centers and their hosts. Sources: docs/zoho-api.md, "Data centers".

use crate::http::Origin;

/// One of Zoho's data centers. Credentials of one do not work at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DataCenter {
    /// As `data_center` in the secret and `ZOHO_DATA_CENTER` name it.
    pub name: &'static str,
    /// Issues access tokens.
    pub accounts_host: &'static str,
    /// Serves the CRM API of production organizations.
    pub api_host: &'static str,
}

impl DataCenter {
    /// Every data center, the default first.
    pub const ALL: [Self; 11] = [
        Self { name: "US", accounts_host: "accounts.zoho.com", api_host: "www.zohoapis.com" },
        Self { name: "EU", accounts_host: "accounts.zoho.eu", api_host: "www.zohoapis.eu" },
        Self { name: "IN", accounts_host: "accounts.zoho.in", api_host: "www.zohoapis.in" },
        Self { name: "AU", accounts_host: "accounts.zoho.com.au", api_host: "www.zohoapis.com.au" },
        Self { name: "JP", accounts_host: "accounts.zoho.jp", api_host: "www.zohoapis.jp" },
        Self { name: "CN", accounts_host: "accounts.zoho.com.cn", api_host: "www.zohoapis.com.cn" },
        // Not accounts.zoho.ca: the accounts server of Canada is in another domain than its API host.
        Self { name: "CA", accounts_host: "accounts.zohocloud.ca", api_host: "www.zohoapis.ca" },
        Self { name: "SA", accounts_host: "accounts.zoho.sa", api_host: "www.zohoapis.sa" },
        Self { name: "UK", accounts_host: "accounts.zoho.uk", api_host: "www.zohoapis.uk" },
        Self { name: "AE", accounts_host: "accounts.zoho.ae", api_host: "www.zohoapis.ae" },
        Self { name: "SG", accounts_host: "accounts.zoho.sg", api_host: "www.zohoapis.sg" },
    ];

    /// The data center of this name, in any letter case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|data_center| data_center.name.eq_ignore_ascii_case(name))
    }

    /// The names, for messages.
    pub fn names() -> String {
        Self::ALL.map(|data_center| data_center.name).join(" ")
    }

    /// The accounts server.
    pub fn accounts_origin(self) -> Origin {
        Origin::of_known_host(self.accounts_host)
    }

    /// The API host of production organizations.
    pub fn api_origin(self) -> Origin {
        Origin::of_known_host(self.api_host)
    }

    /// The data center whose API host this is. Each has hosts for sandboxes and for developer organizations, too.
    pub fn of_api_host(origin: &Origin) -> Option<Self> {
        let host = origin.as_str().strip_prefix("https://")?;
        let (label, domain) = host.split_once('.')?;
        Self::ALL.into_iter().find(|data_center| {
            matches!(label, "www" | "sandbox" | "developer")
                && data_center.api_host.strip_prefix("www.") == Some(domain)
        })
    }
}

impl Default for DataCenter {
    fn default() -> Self {
        Self::ALL[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_and_the_page_about_zoho_have_all_of_them_and_every_host_is_an_origin() {
        let (template, page) = (include_str!("../../template.yaml"), include_str!("../../docs/zoho-api.md"));
        let names = DataCenter::ALL.map(|data_center| data_center.name).join(", ");
        assert!(template.contains(&format!(r#"AllowedValues: ["", {names}]"#)));
        let row = |one: DataCenter| {
            assert_eq!(Origin::parse_host(one.accounts_host), Ok(one.accounts_origin()));
            assert_eq!(Origin::parse_host(one.api_host), Ok(one.api_origin()));
            format!("| {} | {} | {} |\n", one.name, one.accounts_host, one.api_host)
        };
        assert!(page.contains(&DataCenter::ALL.map(row).concat()));
    }
}
