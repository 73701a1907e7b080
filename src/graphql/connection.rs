//! The macro that defines the connection types of an object.

/// Defines `…Connection` and `…Edge` for an object type, from a page of whole or of partial rows.
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
            /// The connection of a page of which only the columns of the plan were read.
            #[must_use]
            pub fn planned(
                page: $crate::graphql::pagination::Page<$crate::entity::partial::Partial<$node>>,
                plan: &$crate::graphql::list_plan::ConnectionPlan<$edge, $node>,
                known: $crate::graphql::list_plan::KnownValues,
            ) -> Self {
                let page_info = page.info();
                let items = page.items.into_iter();
                let items = items.map(|(cursor, node)| node.map(|node| $edge { node, cursor }));
                let (edges, nodes) = $crate::graphql::list_plan::PlannedList::planned(
                    items,
                    |edge: &$edge| &edge.node,
                    plan,
                    known,
                );
                Self {
                    edges,
                    nodes,
                    page_info,
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
                let items = page.items.into_iter();
                let items = items.map(|(cursor, node)| $edge { node, cursor });
                let (edges, nodes) =
                    $crate::graphql::list_plan::PlannedList::whole(items, |edge| &edge.node);
                Self {
                    edges,
                    nodes,
                    page_info,
                }
            }
        }

        impl $crate::graphql::list_plan::PlannedObject for $edge {
            fn field(
                name: &str,
                within: $crate::graphql::list_plan::FieldSelection<'_>,
            ) -> Option<$crate::graphql::list_plan::FieldPlan<Self>> {
                match name {
                    "node" => within.child(|edge: &Self| &edge.node),
                    "cursor" => Some($crate::graphql::list_plan::FieldPlan::Value(|edge, out| {
                        $crate::graphql::list_plan::write(out, &edge.cursor.to_string());
                    })),
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use connection;
