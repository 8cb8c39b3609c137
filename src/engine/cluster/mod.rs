//! The cluster of an environment: made, owned, revived, stopped and removed; its nodes, ports and
//! images. All that the engine knows of kind and of the container engine is here.

pub mod adopt;
pub mod build;
pub mod create;
pub mod down;
pub mod images;
pub mod kubeconfig;
pub mod network;
pub mod nodes;
pub mod owner;
pub mod ports;
pub mod proof;
pub mod removal;
pub mod revive;
pub mod start;
pub mod stop;
