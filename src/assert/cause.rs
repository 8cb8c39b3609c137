//! Why a pod is not ready, computed from the objects.
