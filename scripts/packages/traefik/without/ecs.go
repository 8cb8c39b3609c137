// Package ecs stands in for Traefik's provider for Amazon ECS, whose clients are a fifth of all that
// is compiled.
package ecs

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// Provider refuses to start.
type Provider struct{}

// Init refuses.
func (*Provider) Init() error { return errors.New("this build of Traefik has no ECS provider") }

// Provide does nothing.
func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return nil }
