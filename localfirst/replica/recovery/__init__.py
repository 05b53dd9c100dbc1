"""A replica that came to harm, or whose server did.

damaged, salvage, rebuild, reports   a file that cannot be read whole
recovery part, last_recovery          a server that was set back
take_in, replay                   one replica taken into another
loss                                 an empty replica beside copies of a full one
"""
