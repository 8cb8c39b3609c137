# shellcheck shell=bash
# Debian root file systems from packages. Sourced by stage scripts.

# The package sources of a suite, on the mirror that this machine's own apt uses, or on
# LABCTL_DEBIAN_MIRROR. Security updates come from where the machine gets them.
debian_sources() {
  local suite=$1 uris mirror security
  # shellcheck disable=SC2016 # apt's own placeholders
  uris=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' | sed -n 's|^Debian \(.*\)/$|\1|p')
  mirror=${LABCTL_DEBIAN_MIRROR:-$(grep -m 1 -v security <<<"$uris" || true)}
  security=$(grep -m 1 security <<<"$uris" || true)
  if [[ -z $mirror ]]; then
    echo "no Debian mirror among this machine's package sources; name one in LABCTL_DEBIAN_MIRROR" >&2
    return 1
  fi
  echo "deb $mirror $suite main"
  echo "deb $mirror $suite-updates main"
  [[ -z $security ]] || echo "deb $security $suite-security main"
}

# debian_rootfs SUITE FOLDER PACKAGES EXTRACTED: a minimal system with PACKAGES installed. Of those in
# EXTRACTED it takes the files alone, without what they depend on and without their maintainer
# scripts: for programs whose dependencies are many times their size.
# shellcheck disable=SC2016 # placeholders of mmdebstrap and dpkg
debian_rootfs() {
  local suite=$1 folder=$2 packages=$3 extracted=$4 deb path excludes=()
  for path in doc man info locale lintian; do excludes+=("--dpkgopt=path-exclude=/usr/share/$path/*"); done
  debian_sources "$suite" >sources
  mmdebstrap --quiet --mode=root --variant=minbase "${excludes[@]}" \
    --dpkgopt=force-unsafe-io --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
    --include="${packages// /,}" \
    --customize-hook='mkdir "$1/debs"' \
    --customize-hook='chroot "$1" sh -ec "cd /debs && apt-get -o APT::Sandbox::User=root download '"$extracted"'"' \
    "$suite" "$folder" <sources
  rm sources
  # What the system was made of is kept within it.
  mkdir -p "$folder/usr/share/labctl"
  chroot "$folder" dpkg-query -W -f '${Package} ${Version}\n' >"$folder/usr/share/labctl/packages"
  for deb in "$folder"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -C "$folder" -x --keep-directory-symlink
    dpkg-deb -W --showformat '${Package} ${Version}\n' "$deb" >>"$folder/usr/share/labctl/packages"
  done
  rm -r "$folder/debs"
}

# drop FOLDER PACKAGE...: their files, whatever depends on them. check_programs finds what broke.
drop() {
  local folder=$1 package list path
  shift
  for package; do
    for list in "$folder/var/lib/dpkg/info/$package".list "$folder/var/lib/dpkg/info/$package":*.list; do
      [[ -f $list ]] || continue
      while IFS= read -r path; do
        # Not /bin and its like either, which are links to folders.
        [[ -d $folder$path ]] || rm -f "$folder$path"
      done <"$list"
    done
  done
}

# drop_leftovers FOLDER: what only package tools and people read.
drop_leftovers() {
  local folder=$1
  (
    cd "$folder" || exit
    rm -rf var/lib/{apt,pam} var/lib/dpkg/{info,available,status,triggers,updates,parts} var/lib/dpkg/{lock*,*-old} \
      var/cache/* var/log/* var/backups/* etc/{apt,dpkg} usr/lib/apt run/* tmp/* \
      usr/lib/x86_64-linux-gnu/{perl*,gconv} \
      usr/share/{perl,perl5,debconf,keyrings,i18n,doc,doc-base,man,info,locale,lintian,bug,menu,common-licenses} \
      usr/share/{bash-completion,zsh,polkit-1,gcc,gdb}
    find etc/alternatives -xtype l -delete
  )
}

# check_programs FOLDER: every program left must find its libraries.
check_programs() {
  local broken
  # shellcheck disable=SC2016 # for the shell within
  broken=$(chroot "$1" sh -c '
    for program in /usr/bin/* /usr/sbin/* /usr/lib/systemd/systemd* /usr/lib/postgresql/*/*/*; do
      ldd "$program" 2>/dev/null | sed -n "s|^\s*\(.*\) => not found|$program needs \1|p"
    done')
  [[ -z $broken ]] || {
    printf 'dropped too much:\n%s\n' "$broken" >&2
    return 1
  }
}
