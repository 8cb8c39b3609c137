module labctl.dev/packages/traefik

go 1.25.0

// Only its source is taken by this; it is built with the go.mod and go.sum within.
require github.com/traefik/traefik/v3 v3.6.12
