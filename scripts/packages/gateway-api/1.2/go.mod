module labctl.dev/packages/gateway-api

go 1.25.0

// Only files are taken from it.
require sigs.k8s.io/gateway-api v1.2.1
