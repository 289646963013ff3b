#!/bin/sh
# Two nodes with fencing: "Clusters from Scratch", and "Pacemaker Explained" on fencing (ClusterLabs).
# - A device for each node; pcmk_delay_base on one of them keeps the two from fencing each other at the same time.
#   1 s is enough for this power switch, which answers in 0.1 s; guides say 5 s and more.
# - no-quorum-policy stays at its default, stop: two_node keeps the survivor quorate, fencing makes that safe.
set -e
crm_attribute --type crm_config --name stonith-enabled --update true
crm_attribute --type rsc_defaults --name resource-stickiness --update 1
for node in alpha beta; do
    delay=0s
    [ "$node" = beta ] || delay=1s
    cibadmin --create --scope resources --xml-text "
<primitive id=\"fence-$node\" class=\"stonith\" type=\"fence_bed\">
  <instance_attributes id=\"fence-$node-attributes\">
    <nvpair id=\"fence-$node-list\" name=\"pcmk_host_list\" value=\"$node\"/>
    <nvpair id=\"fence-$node-check\" name=\"pcmk_host_check\" value=\"static-list\"/>
    <nvpair id=\"fence-$node-delay\" name=\"pcmk_delay_base\" value=\"$delay\"/>
  </instance_attributes>
  <operations><op id=\"fence-$node-monitor\" name=\"monitor\" interval=\"60s\"/></operations>
</primitive>"
done
cibadmin --create --scope resources --xml-text '
<primitive id="witness" class="systemd" type="witness">
  <operations><op id="witness-monitor" name="monitor" interval="10s" timeout="100s"/></operations>
</primitive>'
