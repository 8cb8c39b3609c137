# shellcheck shell=bash
# Where scripts/test and scripts/bench take images from. Sourced, after lib.sh.

# Sets `source` and `bundle` by LABCTL_BUNDLE, and takes that from the environment: "none" is the
# public registry, "build" a bundle made here from packages, anything else the folder of a bundle.
# Unset, it is "build" where that can be done. `bundle` is empty, or a folder.
# shellcheck disable=SC2034 # both are for the script that sources this
choose_images() {
  source=${LABCTL_BUNDLE:-}
  unset LABCTL_BUNDLE
  if [[ -z $source ]]; then
    if debian_root; then source=build; else source=none; fi
  fi
  case $source in
    none) bundle= ;;
    build) bundle=$(labctl_cache)/bundle ;;
    *)
      [[ -f $source/index.json ]] || die "$source is not a bundle (it has no index.json)"
      bundle=$(realpath "$source")
      ;;
  esac
}
