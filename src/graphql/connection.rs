//! The macro that defines the connection types of an object.

/// Defines `…Connection` and `…Edge` for an object type, and their `From<Page<_>>`.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $page_doc:literal, $edge_doc:literal) => {
        #[doc = $page_doc]
        #[derive(async_graphql::SimpleObject)]
        pub struct $connection {
            /// The items with their cursors.
            pub edges: $crate::graphql::list_plan::PlannedList<$edge>,
            /// The items alone.
            pub nodes: $crate::graphql::list_plan::PlannedList<$edge, $node>,
            /// The position of the page in the list.
            pub page_info: $crate::graphql::pagination::PageInfo,
        }

        impl $connection {
            /// Adds what was read together with the items.
            #[must_use]
            pub fn with(self, preloaded: $crate::graphql::list_plan::Preloaded) -> Self {
                let edges = self.edges.with(preloaded);
                Self {
                    nodes: edges.part(|edge| &edge.node),
                    edges,
                    page_info: self.page_info,
                }
            }
        }

        #[doc = $edge_doc]
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// The item.
            pub node: $node,
            /// Its cursor.
            pub cursor: $crate::graphql::pagination::Cursor,
        }

        impl From<$crate::graphql::pagination::Page<$node>> for $connection {
            fn from(page: $crate::graphql::pagination::Page<$node>) -> Self {
                let page_info = page.info();
                let edge = |(cursor, node)| $edge { node, cursor };
                let edges =
                    $crate::graphql::list_plan::PlannedList::new(page.items.into_iter().map(edge));
                Self {
                    nodes: edges.part(|edge| &edge.node),
                    edges,
                    page_info,
                }
            }
        }

        impl $crate::graphql::list_plan::PlannedObject for $edge {
            fn leaf(name: &str) -> Option<fn(&Self) -> async_graphql::Value> {
                (name == "cursor").then_some(|of| of.cursor.to_string().into())
            }

            fn nested(
                name: &str,
                set: $crate::graphql::list_plan::Selection<'_>,
            ) -> Option<Box<dyn $crate::graphql::list_plan::NestedField<Self>>> {
                if name != "node" {
                    return None;
                }
                Some(Box::new($crate::graphql::list_plan::ChildObject::new(
                    |of: &Self| &of.node,
                    set,
                )?))
            }

            fn provide(
                &self,
                pending: &mut $crate::graphql::list_plan::PendingKeys,
                loaded: &mut $crate::graphql::list_plan::LoadedValues<'_>,
            ) {
                self.node.provide(pending, loaded);
            }
        }
    };
}
pub(crate) use connection;
