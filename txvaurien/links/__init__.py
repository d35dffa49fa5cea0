"""The parts of one link (`txvaurien.link`): its lanes, the turns of its exchanges, its toxics, its end."""
