//! Zoho's data centres and their hosts.

/// One of Zoho's data centres; credentials of one do not work at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DataCenter {
    /// The name in the secret.
    pub name: &'static str,
    /// Gives out tokens.
    pub accounts_host: &'static str,
    /// Answers API calls.
    pub api_host: &'static str,
}

impl DataCenter {
    /// All of them, the default first. US to SA as in Zoho's SDKs, UK's accounts host as in its documentation, the
    /// rest as third parties use them.
    pub const ALL: [Self; 11] = [
        Self { name: "US", accounts_host: "accounts.zoho.com", api_host: "www.zohoapis.com" },
        Self { name: "EU", accounts_host: "accounts.zoho.eu", api_host: "www.zohoapis.eu" },
        Self { name: "IN", accounts_host: "accounts.zoho.in", api_host: "www.zohoapis.in" },
        Self { name: "AU", accounts_host: "accounts.zoho.com.au", api_host: "www.zohoapis.com.au" },
        Self { name: "JP", accounts_host: "accounts.zoho.jp", api_host: "www.zohoapis.jp" },
        Self { name: "CN", accounts_host: "accounts.zoho.com.cn", api_host: "www.zohoapis.com.cn" },
        // Not accounts.zoho.ca: Canada is the one data centre whose accounts host stands in another domain.
        Self { name: "CA", accounts_host: "accounts.zohocloud.ca", api_host: "www.zohoapis.ca" },
        Self { name: "SA", accounts_host: "accounts.zoho.sa", api_host: "www.zohoapis.sa" },
        Self { name: "UK", accounts_host: "accounts.zoho.uk", api_host: "www.zohoapis.uk" },
        Self { name: "AE", accounts_host: "accounts.zoho.ae", api_host: "www.zohoapis.ae" },
        Self { name: "SG", accounts_host: "accounts.zoho.sg", api_host: "www.zohoapis.sg" },
    ];

    /// The data centre of this name, in any letter case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|data_center| data_center.name.eq_ignore_ascii_case(name))
    }

    /// Their names, for messages.
    pub fn names() -> String {
        Self::ALL.map(|data_center| data_center.name).join(" ")
    }
}

impl Default for DataCenter {
    fn default() -> Self {
        let [first, ..] = Self::ALL;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::origin::Origin;

    #[test]
    fn found_by_name_in_any_case_and_us_by_default() {
        assert_eq!(DataCenter::default().name, "US");
        assert_eq!(DataCenter::named("eu").unwrap().api_host, "www.zohoapis.eu");
        assert_eq!(DataCenter::named("CA").unwrap().accounts_host, "accounts.zohocloud.ca");
        assert!(DataCenter::named("XX").is_none());
        assert_eq!(DataCenter::names(), "US EU IN AU JP CN CA SA UK AE SG");
    }

    #[test]
    fn every_host_makes_a_base_url() {
        for data_center in DataCenter::ALL {
            assert!(Origin::parse_host(data_center.accounts_host).is_ok());
            assert!(Origin::parse_host(data_center.api_host).is_ok());
        }
    }
}
